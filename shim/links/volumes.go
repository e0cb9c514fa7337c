package links

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/rootpath"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/events"
	"github.com/davit-containers/davit/shim/network"
	"github.com/davit-containers/davit/shim/options"
	"github.com/davit-containers/davit/shim/volume"
)

// OpenVolumes opens the volumes of the store at root.
func OpenVolumes(root string) (*volume.Store, error) {
	return volume.Open(filepath.Join(root, "volumes"))
}

// Volumes are those that a container has: as the flags say, and an anonymous one
// on each directory for which its image wants a volume and nothing else is
// mounted there.
func Volumes(wanted []options.Volume, image []string, mounts []specs.Mount) ([]container.Volume, error) {
	var all []container.Volume
	taken := map[string]bool{}
	for _, m := range mounts {
		taken[path.Join("/", m.Destination)] = true
	}
	for _, w := range wanted {
		v := container.Volume{Name: w.Name, Destination: path.Join("/", w.Destination), ReadOnly: w.ReadOnly, NoCopy: w.NoCopy}
		if v.Destination == "/" {
			return nil, errors.New("volume on /: the destination can't be '/'")
		}
		if taken[v.Destination] {
			return nil, fmt.Errorf("Duplicate mount point: %s", v.Destination) // Compat(moby): its words
		}
		taken[v.Destination] = true
		all = append(all, named(v))
	}
	for _, dest := range slices.Sorted(slices.Values(image)) {
		if dest = path.Join("/", dest); dest != "/" && !taken[dest] {
			taken[dest] = true
			all = append(all, named(container.Volume{Destination: dest}))
		}
	}
	return all, nil
}

// named gives an anonymous volume its name, so that it is known before it is
// there.
func named(v container.Volume) container.Volume {
	if v.Name == "" {
		v.Name, v.Anonymous = volume.NewName(), true
	}
	return v
}

// Prepare makes a container's volumes and network files, once its configuration
// is on disk, and returns the mounts for them; what the user mounts at the place
// of a file takes its place.
func Prepare(c *container.Container, given []specs.Mount) ([]specs.Mount, error) {
	mounts, err := volumeMounts(c)
	if err != nil {
		return nil, err
	}
	dir, err := fileDir(c)
	if err != nil {
		return nil, err
	}
	f := network.Files{Dir: dir}
	for dest, source := range map[string]string{"/etc/hosts": f.HostsPath(), "/etc/hostname": f.HostnamePath(), "/etc/resolv.conf": f.ResolvPath()} {
		same := func(m specs.Mount) bool { return path.Join("/", m.Destination) == dest }
		if !slices.ContainsFunc(given, same) && !slices.ContainsFunc(mounts, same) {
			mounts = append(mounts, bind(source, dest, "rw"))
		}
	}
	return mounts, nil
}

// fileDir is where the container's network files are: those of a container in
// another one's network are the other's.
func fileDir(c *container.Container) (string, error) {
	if mode := c.Config.Network.Mode; mode.Kind == network.Container {
		other, err := c.Store().Find(mode.Name)
		if err != nil {
			return "", err
		}
		return other.Network(), nil
	}
	if err := os.Mkdir(c.Network(), 0o711); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return c.Network(), files(c).Write()
}

func bind(source, dest, access string) specs.Mount {
	return specs.Mount{Destination: dest, Type: "bind", Source: source, Options: []string{"rbind", "rprivate", access}}
}

// volumeMounts makes the volumes that are not there, and returns their mounts.
func volumeMounts(c *container.Container) ([]specs.Mount, error) {
	if len(c.Config.Volumes) == 0 {
		return nil, nil
	}
	s, err := OpenVolumes(c.Store().Root())
	if err != nil {
		return nil, err
	}
	var mounts []specs.Mount
	for _, v := range c.Config.Volumes {
		made, err := claim(c, s, v)
		if err != nil {
			return nil, err
		}
		access := "rw"
		if v.ReadOnly {
			access = "ro"
		}
		mounts = append(mounts, bind(made.Path, v.Destination, access))
	}
	return mounts, nil
}

// claim makes a volume, or takes the one that is there. It is the container's
// from here on, so that nobody removes it.
func claim(c *container.Container, s *volume.Store, v container.Volume) (volume.Volume, error) {
	for {
		_, err := s.Get(v.Name)
		missing := errors.Is(err, volume.ErrNotExist)
		made, err := s.Create(volume.CreateOptions{Name: v.Name, Anonymous: v.Anonymous})
		if err != nil {
			return made, err
		}
		if missing {
			_ = Note(c.Store().Root(), "create", made) // an event that is lost loses nothing else
		}
		if made, err = s.Claim(v.Name, c.Config.ID); !errors.Is(err, volume.ErrNotExist) {
			return made, err // otherwise somebody removed it in between
		}
	}
}

// Note appends an event of a volume.
func Note(root, action string, v volume.Volume) error {
	return events.Append(root, events.Event{Type: events.Volume, Action: action, ID: v.Name, Attributes: map[string]string{"driver": "local"}})
}

// Fill gives a container its volumes, once its root file system is there: at its
// first use a volume gets what the image has at its place.
func Fill(c *container.Container, rootfs string) error {
	if len(c.Config.Volumes) == 0 {
		return nil
	}
	s, err := OpenVolumes(c.Store().Root())
	if err != nil {
		return err
	}
	root, err := os.Open(rootfs)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, v := range c.Config.Volumes {
		image := &volume.Image{Root: root, Path: rootpath.InRoot(v.Destination)}
		if v.NoCopy {
			image = nil
		}
		if _, err := s.Use(v.Name, c.Config.ID, image); err != nil {
			return err
		}
	}
	return nil
}

// Release lets go of a container's volumes, once nothing of it is mounted. With
// anonymous, those that nobody named and nobody has now are removed.
func Release(c *container.Container, anonymous bool) error {
	if len(c.Config.Volumes) == 0 {
		return nil
	}
	root := c.Store().Root()
	s, err := OpenVolumes(root)
	if err != nil {
		return err
	}
	if _, err := s.Release(c.Config.ID); err != nil || !anonymous {
		return err
	}
	var errs []error
	for _, v := range c.Config.Volumes {
		if v.Anonymous {
			errs = append(errs, remove(root, s, v.Name))
		}
	}
	return errors.Join(errs...)
}

// remove removes an anonymous volume, unless another container has it by now.
func remove(root string, s *volume.Store, name string) error {
	v, err := s.Get(name)
	if err == nil {
		err = s.Remove(name)
	}
	if errors.Is(err, volume.ErrNotExist) || errors.Is(err, volume.ErrInUse) {
		return nil
	}
	if err == nil {
		_ = Note(root, "destroy", v) // an event that is lost loses nothing else
	}
	return err
}

package assembly

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/shim/container"
)

// inherited are the volumes and the host's directories that a container has of others,
// by their place in it.
type inherited struct {
	volumes map[string]container.Volume
	mounts  map[string]specs.Mount
}

// inherit takes over what the containers of --volumes-from have, the last of them
// where several have something at the same place.
func (w *Wanted) inherit() (inherited, error) {
	got := inherited{map[string]container.Volume{}, map[string]specs.Mount{}}
	for _, text := range w.VolumesFrom {
		ref, mode, given := strings.Cut(text, ":")
		if given && mode != "ro" && mode != "rw" {
			return got, fmt.Errorf("--volumes-from %q: it is CONTAINER[:ro|rw]", text)
		}
		other, err := w.Containers.Find(ref)
		if err == nil {
			err = got.from(other, mode == "ro")
		}
		if err != nil {
			return got, fmt.Errorf("--volumes-from: %w", err)
		}
	}
	return got, nil
}

func (i inherited) from(other *container.Container, readOnly bool) error {
	spec, err := readSpec(other)
	if err != nil {
		return err
	}
	for _, v := range other.Config.Volumes {
		v.ReadOnly, v.NoCopy = v.ReadOnly || readOnly, true
		delete(i.mounts, v.Destination)
		i.volumes[v.Destination] = v
	}
	for _, m := range spec.Mounts {
		if m.Type != "bind" || !IsGiven(other, m) {
			continue
		}
		if readOnly {
			m.Options = append(slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool { return o == "rw" }), "ro")
		}
		delete(i.volumes, m.Destination)
		i.mounts[m.Destination] = m
	}
	return nil
}

// IsGiven tells whether a bind mount of a container's configuration is one that a user
// wanted: neither a file that each container has, nor a volume.
func IsGiven(c *container.Container, m specs.Mount) bool {
	if strings.HasPrefix(m.Source, filepath.Join(c.Store().Root(), "containers")+"/") {
		return false
	}
	return !slices.ContainsFunc(c.Config.Volumes, func(v container.Volume) bool { return v.Destination == path.Clean(m.Destination) })
}

// without leaves out what is at places where the container has something else.
func (i inherited) without(w *Wanted) {
	for _, m := range w.Options.Mounts {
		i.drop(m.Destination)
	}
	for _, v := range w.Options.Volumes {
		i.drop(v.Destination)
	}
}

func (i inherited) drop(dest string) {
	delete(i.volumes, path.Join("/", dest))
	delete(i.mounts, path.Join("/", dest))
}

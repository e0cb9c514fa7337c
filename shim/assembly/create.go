package assembly

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/bundle/config"
	"github.com/davit-containers/davit/bundle/progress"
	"github.com/davit-containers/davit/bundle/rootfs"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/bundledir"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/links"
	"github.com/davit-containers/davit/shim/options"
)

// Wanted is what a container is made of.
type Wanted struct {
	Images     *store.Store
	Image      *store.Image
	Containers *container.Store
	// Config is what is known of the container: of its image (FromImage), its name,
	// labels, network. What the bundle decides is added.
	Config container.Config
	// Options, User and Groups are what the flags say of the bundle.
	Options options.Wanted
	User    string
	Groups  []string
	// VolumesFrom are containers, CONTAINER[:ro], whose volumes this one has too.
	VolumesFrom []string
	// CgroupParent is where the cgroup goes, "" for the default.
	CgroupParent string
	// CgroupManager is one of Managers, "" for the one that fits the machine.
	CgroupManager string
	Form          bundledir.Form
	// Inside and OneOwner are as package bundledir has them.
	Inside, OneOwner bool
	Facts            config.Facts
	Progress         progress.Func
}

// FromImage is what an image says of its containers, beside the bundle.
func FromImage(img *store.Image) container.Config {
	c := container.Config{Image: img.Descriptor().Digest.String(), ImageID: img.ID().String(), Labels: map[string]string{}}
	image := img.Config().Config
	for name, value := range image.Labels {
		c.Labels[name] = value
	}
	if h := image.Healthcheck; h != nil && len(h.Test) > 0 {
		c.Health = &container.Health{Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, Retries: h.Retries, StartInterval: img.StartInterval()}
	}
	return c
}

// building is one container that is being made.
type building struct {
	Wanted
	*container.Locked
}

// record is what is known of the container that is being made.
func (b *building) record() *container.Config { return &b.Locked.Config }

// Create makes a container, which others see when it returns, and has it locked.
// Its root file system is mounted, where it is a mount. After an error nothing is
// left.
//
// Errors: [container.ErrExist] where the name is taken.
func Create(ctx context.Context, w Wanted) (*container.Locked, error) {
	if err := w.complete(); err != nil {
		return nil, err
	}
	l, err := w.begin()
	if err != nil {
		return nil, err
	}
	b := &building{w, l}
	if err := b.build(ctx); err != nil {
		return nil, errors.Join(err, Remove(context.WithoutCancel(ctx), l, RemoveVolumes))
	}
	return l, nil
}

// begin takes the name, also from a container that was to be removed at its end, and
// whose supervisor was killed: looking at it removes it.
func (w *Wanted) begin() (*container.Locked, error) {
	l, err := w.Containers.Create(w.Config)
	if !errors.Is(err, container.ErrExist) {
		return l, err
	}
	if _, gone := w.Containers.Find(w.Config.Name); errors.Is(gone, container.ErrNotExist) {
		return w.Containers.Create(w.Config)
	}
	return nil, err
}

// complete adds to the record what is to be made for the container, so that it is
// known before it is there.
func (w *Wanted) complete() (err error) {
	c, o := &w.Config, &w.Options
	if c.Created.IsZero() {
		c.Created = time.Now().UTC()
	}
	c.Hostname, c.Domainname, c.Terminal, c.Privileged, c.Annotations = o.Hostname, o.Domainname, o.Terminal, o.Privileged, o.Annotations
	c.IPC = o.IPC
	if err := links.Resolve(w.Containers, &c.Network); err != nil {
		return err
	}
	if err := w.join(); err != nil {
		return err
	}
	return w.volumes()
}

// volumes are the flags' and the image's, and those of other containers.
func (w *Wanted) volumes() error {
	c, o := &w.Config, &w.Options
	others, err := w.inherit()
	if err != nil {
		return err
	}
	others.without(w)
	image := maps.Clone(w.Image.Config().Config.Volumes)
	maps.DeleteFunc(image, func(dest string, _ struct{}) bool { _, has := others.volumes[path.Join("/", dest)]; return has })
	o.Mounts = slices.AppendSeq(o.Mounts, maps.Values(others.mounts))
	c.Volumes, err = links.Volumes(o.Volumes, slices.Collect(maps.Keys(image)), o.Mounts)
	for _, dest := range slices.Sorted(maps.Keys(others.volumes)) {
		c.Volumes = append(c.Volumes, others.volumes[dest])
	}
	return err
}

func (b *building) build(ctx context.Context) (err error) {
	for _, step := range [...]func() error{b.admit, b.sources, b.cgroup, b.hostname, b.links, b.shm, b.init} {
		if err := step(); err != nil {
			return err
		}
	}
	_, err = bundledir.Make(ctx, bundledir.Wanted{
		Store: b.Images, Image: b.Image, Name: b.record().ImageName, Dir: b.Bundle(), Form: b.Form, Memory: rootfs.MemoryIn(b.Images.Root()),
		User: b.User, Groups: b.Groups, Options: b.Options.Options, Facts: b.Facts,
		Inside: b.Inside, OneOwner: b.OneOwner, Remounted: true, Progress: b.Progress, Finish: b.finish,
	})
	var failed *bundledir.MakeError
	if errors.As(err, &failed) {
		return failed.Err // which bundle it is, and where, is no user's business
	}
	if err != nil {
		return err
	}
	if err := links.Fill(b.Container, filepath.Join(b.Bundle(), "rootfs")); err != nil {
		return err
	}
	if err := b.give(); err != nil {
		return err
	}
	return b.Ready()
}

// links gives the container its volumes, and its place in the network.
func (b *building) links() error {
	mounts, err := links.Prepare(b.Container, b.Options.Mounts)
	if err != nil {
		return err
	}
	b.Options.Mounts = append(b.Options.Mounts, mounts...)
	if ns, own := links.Namespace(b.record().Network); !own {
		b.Options.Namespaces[specs.NetworkNamespace] = ns
	}
	return nil
}

// sources makes the directories of -v that are missing.
func (b *building) sources() error {
	for _, dir := range b.Options.Sources {
		if _, err := os.Stat(dir); err == nil {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making the volume's source: %w", err)
		}
	}
	return nil
}

// finish takes over what the bundle decides, and puts an init before the program.
func (b *building) finish(r *config.Result) error {
	c, p := b.record(), r.Spec.Process
	if b.OneOwner && (p.User.UID != 0 || p.User.GID != 0) {
		return fmt.Errorf("user %d:%d: this user has one id alone, which is root's in the container [lines for him in /etc/subuid and /etc/subgid, and newuidmap of Debian's package uidmap, give more; -u 0 does without]", p.User.UID, p.User.GID)
	}
	c.Path, c.Args, c.Env, c.WorkDir, c.StopSignal = p.Args[0], p.Args[1:], p.Env, p.Cwd, r.StopSignal
	c.User, c.Entrypoint, c.Cmd = b.User, entrypoint(b.Options.Entrypoint, b.Image.Config().Config), b.Options.Command
	if c.User == "" {
		c.User = b.Image.Config().Config.User
	}
	if len(c.Cmd) == 0 && b.Options.Entrypoint == nil {
		c.Cmd = b.Image.Config().Config.Cmd
	}
	if c.Init {
		p.Args = append([]string{initPath, "--"}, p.Args...)
	}
	return nil
}

func entrypoint(given []string, image v1.Config) []string {
	if given == nil {
		return image.Entrypoint
	}
	if len(given) == 1 && given[0] == "" {
		return nil
	}
	return given
}

// bind is a mount of a file or directory of the host's.
func bind(source, dest string, options ...string) specs.Mount {
	return specs.Mount{Destination: dest, Type: "bind", Source: source, Options: append([]string{"rbind", "rprivate"}, options...)}
}

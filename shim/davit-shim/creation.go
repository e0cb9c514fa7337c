package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/progress"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/assembly"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/links"
	"github.com/davit-containers/davit/shim/options"
	"github.com/davit-containers/davit/shim/rootless"
)

// creation has the flags of the commands that make a container.
type creation struct {
	transfer
	options.Flags
	options.Life
	links       links.Flags
	pull        string
	volumesFrom []string
}

func (c *creation) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.SetInterspersed(false) // what follows IMAGE is the command's
	c.Flags.Add(fs)
	c.Life.Add(fs)
	c.links.Add(fs)
	fs.StringVar(&c.pull, "pull", pullMissing, "fetch the image: `WHEN` is missing, always or never")
	fs.StringArrayVar(&c.volumesFrom, "volumes-from", nil, "have the volumes of `CONTAINER[:ro]` too")
	c.addPlatform(cmd)
	fs.StringVar(&c.progress, "progress", "auto", "show how an image is fetched on standard error: `HOW` is auto, tty, plain, json or none")
	fs.BoolVarP(&c.quiet, "quiet", "q", false, "say nothing of an image that is fetched")
}

// create makes a container of an image and a command line, locked, and writes its
// ID into the file that is wanted.
func (p *program) create(ctx context.Context, c *creation, args []string) (*container.Locked, error) {
	if err := c.checkCIDFile(); err != nil {
		return nil, err
	}
	images, err := p.store()
	if err != nil {
		return nil, err
	}
	containers, err := p.containers()
	if err != nil {
		return nil, err
	}
	sweep(ctx, containers)
	img, err := p.imageFor(ctx, images, c, args[0])
	if err != nil {
		return nil, err
	}
	w, err := p.wanted(c, img, args)
	if err != nil {
		return nil, err
	}
	w.Images, w.Containers = images, containers
	l, err := p.assemble(ctx, c, w)
	if err != nil {
		return nil, err
	}
	note(l.Container, "create", nil)
	return l, nil
}

func (p *program) assemble(ctx context.Context, c *creation, w *assembly.Wanted) (l *container.Locked, err error) {
	make := func(report progress.Func) error {
		w.Progress = report
		l, err = assembly.Create(ctx, *w)
		return err
	}
	quiet := c.transfer
	quiet.quiet = quiet.quiet || c.progress == "auto" && !isTerminal(p.err)
	if err := p.watch(quiet, make); err != nil {
		return nil, err
	}
	if err := c.writeCIDFile(l.Config.ID); err != nil {
		return nil, errors.Join(err, assembly.Remove(context.WithoutCancel(ctx), l, assembly.RemoveVolumes))
	}
	return l, nil
}

// wanted is what the flags say of a container of an image.
func (p *program) wanted(c *creation, img *store.Image, args []string) (*assembly.Wanted, error) {
	o, err := c.Wanted(args[1:])
	if err != nil {
		return nil, err
	}
	facts, err := options.Host()
	if err != nil {
		return nil, err
	}
	w := &assembly.Wanted{
		Image: img, Config: assembly.FromImage(img), Options: *o, User: c.User, Groups: c.Groups,
		CgroupParent: c.CgroupParent, CgroupManager: p.globals.cgroupManager, VolumesFrom: c.volumesFrom, Facts: facts,
	}
	w.Config.ImageName = shown(img, args[0])
	w.Config.Command = os.Args
	if err := c.Life.Config(&w.Config); err != nil {
		return nil, err
	}
	w.Config.Network, err = c.links.Network(links.Given{Exposed: img.Config().Config.ExposedPorts, Hostname: o.Hostname, User: p.inside})
	if err != nil {
		return nil, err
	}
	return w, p.asContainersUser(w)
}

// shown is what an image is called in lists of containers: as the user did.
func shown(img *store.Image, ref string) string {
	if name := called(img, ref); name != img.ID().String() {
		return ref
	}
	return img.ID().String()
}

// asContainersUser has a user's container in the user namespace of this program:
// the files belong to its users, and the supervisor stays in it.
func (p *program) asContainersUser(w *assembly.Wanted) error {
	if !p.inside {
		return nil
	}
	if len(w.Options.UIDMappings) > 0 {
		return errors.New("--uidmap and --gidmap need root: the container is in the user's own user namespace")
	}
	if ns := w.Options.Namespaces[specs.UserNamespace]; ns.Host || ns.Path != "" {
		return errors.New("--userns needs root, but for private: the container has a user namespace of its own below the user's")
	}
	mapping, err := rootless.Current()
	if err != nil {
		return err
	}
	w.Inside, w.OneOwner, w.Options.Rootless = true, mapping.OneID, true
	if w.Options.UIDMappings, err = mappingsWithin("/proc/self/uid_map"); err != nil {
		return err
	}
	w.Options.GIDMappings, err = mappingsWithin("/proc/self/gid_map")
	return err
}

// mappingsWithin map each id of the user namespace that this program is in to
// itself: the container's own namespace is below it, and keeps its processes from
// the supervisor.
func mappingsWithin(file string) ([]specs.LinuxIDMapping, error) {
	all, err := mappingsIn(file)
	for i := range all {
		all[i].HostID = all[i].ContainerID
	}
	return all, err
}

// checkCIDFile sees early that the file for the ID can be made.
// Compat(moby): one that is there is an error.
func (c *creation) checkCIDFile() error {
	if c.CIDFile == "" {
		return nil
	}
	if _, err := os.Lstat(c.CIDFile); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("--cidfile: %s: container ID file found, make sure the other container isn't running or delete it", c.CIDFile), err)
	}
	return nil
}

func (c *creation) writeCIDFile(id string) error {
	if c.CIDFile == "" {
		return nil
	}
	f, err := os.OpenFile(c.CIDFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("--cidfile: %w", err)
	}
	_, err = f.WriteString(id)
	return errors.Join(err, f.Close())
}

// createCommand is davit-shim create.
func (p *program) createCommand() *cobra.Command {
	var c creation
	cmd := &cobra.Command{
		Use:   "create IMAGE [COMMAND [ARGUMENT...]]",
		Short: "make a container, and do not start it",
		Long: `Makes a container of an image, which is fetched if it is not here, and prints its
ID. start runs the image's program in it, or COMMAND. The flags say what is to be
different.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := p.create(cmd.Context(), &c, args)
			if err != nil {
				return err
			}
			defer l.Unlock()
			_, err = fmt.Fprintln(p.out, l.Config.ID)
			return errors.Join(err, assembly.Rest(l.Container))
		},
	}
	c.add(cmd)
	return cmd
}

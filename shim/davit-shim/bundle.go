package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/progress"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/bundledir"
	"github.com/davit-containers/davit/shim/options"
)

// bundling has the flags of davit-shim bundle.
type bundling struct {
	transfer
	options.Flags
	form             string
	volatile         bool
	remove, remounts bool
}

// bundleCommand is davit-shim bundle.
func (p *program) bundleCommand() *cobra.Command {
	var b bundling
	cmd := &cobra.Command{
		Use:   "bundle IMAGE DIR [COMMAND [ARGUMENT...]] | bundle --remove DIR | bundle --remount DIR",
		Short: "make a bundle of an image",
		Long: `Makes the directory DIR with the image's root file system and a config.json that
runs the image's program, or COMMAND. The flags say what is to be different, in
the words of docker run. What the container writes stays in the bundle; the image
is kept as long as the bundle is there.

The root file system is an overlayfs mount where that can be, and otherwise a plain
directory. A mount goes when the machine stops, and comes back with --remount.
--remove takes the mount away and removes the bundle, with all that was written.

The image's volumes are directories like others; its labels are not annotations.
Without --network host the container's network has nothing in it.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if b.remove || b.remounts {
				return exactly(1)(cmd, args)
			}
			return atLeast(2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return p.bundle(cmd.Context(), b, args) },
	}
	fs := cmd.Flags()
	fs.SetInterspersed(false) // what follows DIR is the command's
	fs.BoolVar(&b.remove, "remove", false, "remove a bundle")
	fs.BoolVar(&b.remounts, "remount", false, "mount a bundle's root file system again")
	fs.StringVar(&b.form, "rootfs", "auto", "`FORM` of the root file system: overlay, plain or auto")
	fs.BoolVar(&b.volatile, "volatile", false, "never sync the overlay: fast, and lost when the machine crashes")
	cmd.MarkFlagsMutuallyExclusive("remove", "remount")
	b.Flags.Add(fs)
	b.AddNetwork(fs)
	b.AddCgroupsPath(fs)
	b.addProgress(cmd)
	return cmd
}

func (p *program) bundle(ctx context.Context, b bundling, args []string) error {
	switch {
	case b.remove:
		return p.removeBundle(args[0])
	case b.remounts:
		found, err := bundledir.Open(args[0])
		if err != nil {
			return err
		}
		return found.Mount(ctx)
	}
	w, err := b.wanted(args[1], args[2:])
	if err == nil {
		err = p.asUser(w)
	}
	if err != nil {
		return err
	}
	if w.Store, err = p.store(); err != nil {
		return err
	}
	if w.Image, err = w.Store.Get(ctx, args[0]); err != nil {
		return err
	}
	w.Name = called(w.Image, args[0])
	return p.watch(b.transfer, func(report progress.Func) error {
		w.Progress = report
		_, err := bundledir.Make(ctx, *w)
		return err
	})
}

// wanted is what the flags say.
func (b *bundling) wanted(dir string, command []string) (*bundledir.Wanted, error) {
	o, err := b.Wanted(command)
	if err != nil {
		return nil, err
	}
	if len(o.Volumes) > 0 {
		return nil, fmt.Errorf("volume on %s: a bundle has none [give a directory of the host, with a slash in it]", o.Volumes[0].Destination)
	}
	if len(o.Joined) > 0 {
		return nil, errors.New("container:ID: a bundle joins no container's namespaces [give ns:PATH]")
	}
	if err := makeSources(o.Sources); err != nil {
		return nil, err
	}
	facts, err := options.Host()
	if err != nil {
		return nil, err
	}
	w := &bundledir.Wanted{Dir: dir, Volatile: b.volatile, User: b.User, Groups: b.Groups, Options: o.Options, Facts: facts}
	switch b.form {
	case "overlay", "plain":
		w.Form = bundledir.Form(b.form)
	case "auto":
	default:
		return nil, fmt.Errorf("--rootfs %q: it is overlay, plain or auto", b.form)
	}
	return w, nil
}

// makeSources makes the directories of -v that are missing.
func makeSources(dirs []string) error {
	for _, dir := range dirs {
		if _, err := os.Stat(dir); err == nil {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making the volume's source: %w", err)
		}
	}
	return nil
}

// called is what an image was called by: a name of its own, or else its ID.
func called(img *store.Image, ref string) string {
	for _, n := range img.Names {
		if ref == n.String() || ref == n.Familiar() || ref+":latest" == n.Familiar() {
			return n.String()
		}
	}
	return img.ID().String()
}

// removeBundle is bundle --remove.
func (p *program) removeBundle(dir string) error {
	b, err := bundledir.Open(dir)
	if err != nil {
		return err
	}
	s, err := store.Open(b.Store)
	if err != nil {
		return err
	}
	return b.Remove(s)
}

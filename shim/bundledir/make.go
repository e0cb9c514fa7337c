package bundledir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cyphar/filepath-securejoin/pathrs-lite"

	"github.com/davit-containers/davit/bundle/config"
	"github.com/davit-containers/davit/bundle/config/users"
	"github.com/davit-containers/davit/bundle/layer"
	"github.com/davit-containers/davit/bundle/progress"
	"github.com/davit-containers/davit/bundle/rootfs"
	"github.com/davit-containers/davit/bundle/store"
)

// Wanted is what a bundle is made of.
type Wanted struct {
	Store *store.Store
	Image *store.Image
	// Name is what the image was called.
	Name string
	// Dir is the bundle's directory: an empty one, or one that is not there.
	Dir string
	// Form is that of the root file system, "" for what works here.
	Form Form
	// Memory remembers which form works; "" tries it out.
	Memory rootfs.Memory
	// Volatile mounts without syncs.
	Volatile bool
	// User and Groups are looked up in the image; "" is the image's user.
	User   string
	Groups []string
	// Options and Facts are for the configuration.
	Options config.Options
	Facts   config.Facts
	// Inside tells that this program is in a user namespace that ends with it, the
	// one that Options have mappings of: owners are those of the namespace, and there
	// can be no mount, unless it is Remounted by whoever runs the bundle. OneOwner
	// tells that the namespace has only one user.
	Inside, OneOwner, Remounted bool
	// Finish, where it is set, is called with the configuration before it is written.
	Finish func(*config.Result) error
	// Progress is told of layers that are unpacked.
	Progress progress.Func
}

// MakeError is why a bundle could not be made.
type MakeError struct {
	Dir string
	Err error
}

// Error names the bundle.
func (e *MakeError) Error() string { return fmt.Sprintf("making bundle %s: %v", e.Dir, e.Err) }

// Unwrap is the cause.
func (e *MakeError) Unwrap() error { return e.Err }

// Make makes a bundle. Where it fails, what it made is gone again.
//
// Errors: [*MakeError].
func Make(ctx context.Context, w Wanted) (*Bundle, error) {
	dir, err := filepath.Abs(w.Dir)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Dir: dir, Record: Record{
		Store: w.Store.Root(), Hold: holdName(dir), Image: w.Image.Descriptor().Digest.String(), Name: w.Name,
		Volatile: w.Volatile, OneOwner: w.OneOwner,
	}}
	if !w.Inside {
		b.UIDs, b.GIDs = w.Options.UIDMappings, w.Options.GIDMappings
	}
	made, err := b.begin()
	if err != nil {
		return nil, &MakeError{dir, err}
	}
	if err := b.fill(ctx, w); err != nil {
		return nil, &MakeError{dir, errors.Join(err, b.undo(w.Store, made))}
	}
	return b, nil
}

// begin makes the directory, and the record in it; made tells that it was not there.
func (b *Bundle) begin() (made bool, err error) {
	switch err := os.Mkdir(b.Dir, 0o700); {
	case errors.Is(err, fs.ErrExist):
		entries, err := os.ReadDir(b.Dir)
		if err == nil && len(entries) > 0 {
			err = errors.New("the directory is not empty")
		}
		if err != nil {
			return false, err
		}
	case err != nil:
		return false, err
	default:
		made = true
	}
	if err := b.admit(); err != nil {
		return made, err
	}
	return made, b.save()
}

// admit lets the root of a container's user namespace through to the root file
// system, and nobody else: files in it may have set-id bits.
// CVE-2021-41091, CVE-2021-41103.
func (b *Bundle) admit() error {
	for _, m := range b.GIDs {
		if m.ContainerID == 0 && m.HostID != 0 {
			return errors.Join(os.Chown(b.Dir, -1, int(m.HostID)), os.Chmod(b.Dir, 0o710))
		}
	}
	return os.Chmod(b.Dir, 0o700)
}

// undo removes what a failed Make made.
func (b *Bundle) undo(s *store.Store, made bool) error {
	err := b.empty(s)
	if made && err == nil {
		err = os.Remove(b.Dir)
	}
	return err
}

// fill makes what is in a bundle, the configuration last.
func (b *Bundle) fill(ctx context.Context, w Wanted) error {
	if err := w.Store.Hold(ctx, w.Image, b.Hold); err != nil {
		return err
	}
	if err := b.makeRootfs(ctx, w); err != nil {
		return err
	}
	root, err := os.Open(b.Rootfs())
	if err != nil {
		return err
	}
	defer root.Close()
	result, err := configure(root, w)
	if err != nil {
		return err
	}
	if err := makeVolumes(root, result.Volumes); err != nil {
		return err
	}
	if w.Finish != nil {
		if err := w.Finish(result); err != nil {
			return err
		}
	}
	b.StopSignal = result.StopSignal
	return errors.Join(b.save(), b.write("config.json", result.Spec))
}

// configure makes the configuration, with the user that the root file system knows.
func configure(root *os.File, w Wanted) (*config.Result, error) {
	user := w.User
	if user == "" {
		user = w.Image.Config().Config.User
	}
	id, err := users.Lookup(root, user)
	if err != nil {
		return nil, err
	}
	if id, err = id.Add(root, w.Groups...); err != nil {
		return nil, err
	}
	return config.New(w.Image.Config(), id, w.Options, w.Facts)
}

// makeVolumes makes the directories that the image wants as volumes, below the
// root: in a bundle they are directories like others.
// CVE-2022-23648: a volume's path led to the host.
func makeVolumes(root *os.File, volumes []string) error {
	for _, path := range volumes {
		dir, err := pathrs.MkdirAllHandle(root, path, 0o755)
		if err != nil {
			return fmt.Errorf("making the image's volume %s: %w", path, err)
		}
		dir.Close()
	}
	return nil
}

// makeRootfs unpacks what is missing of the layers, and puts them together.
func (b *Bundle) makeRootfs(ctx context.Context, w Wanted) error {
	support, err := w.Memory.Probe(ctx, b.Dir)
	if err != nil {
		return err
	}
	if w.Inside && !w.Remounted {
		support.Overlay, support.Reason = false, "an overlay would be gone when this command ends [it needs root, or a user namespace that stays]"
	}
	if w.Form == Overlay && !support.Overlay {
		return errors.New(support.Reason)
	}
	b.Form, b.Userxattr = w.Form, support.Userxattr
	if b.Form == "" {
		b.Form = Plain
		if support.Overlay && len(w.Image.DiffIDs()) < rootfs.MaxLayers {
			b.Form = Overlay
		}
	}
	layers, err := w.Store.Layers(ctx, w.Image, store.LayerOptions{Layer: b.layerOptions(), Progress: w.Progress})
	if err != nil {
		return err
	}
	b.Lower = layers.Dirs
	if err := os.Mkdir(b.Rootfs(), 0o755); err != nil {
		return errors.Join(err, layers.Close())
	}
	if b.Form == Plain {
		err = rootfs.Plain(ctx, rootfs.PlainSpec{Lower: b.Lower, Target: b.Rootfs(), Userxattr: b.Userxattr})
	} else if err = b.Mount(ctx); err != nil {
		w.Memory.Forget()
	}
	return errors.Join(err, layers.Close())
}

// layerOptions say how the layers are unpacked.
func (b *Bundle) layerOptions() layer.Options {
	o := layer.Options{UIDs: b.UIDs, GIDs: b.GIDs, OneOwner: b.OneOwner}
	if b.Userxattr {
		o.Namespace = layer.User
	}
	return o
}

// Mount mounts the root file system again, where it is a mount: after the machine
// was started anew, there is none.
func (b *Bundle) Mount(ctx context.Context) error {
	if b.Form != Overlay {
		return nil
	}
	w, err := rootfs.MakeWritable(b.path("writable"), b.Userxattr, b.Lower)
	if err != nil {
		return err
	}
	return rootfs.Mount(ctx, rootfs.Spec{
		Lower: b.Lower, Upper: w.Upper(), Work: w.Work(), Target: b.Rootfs(), Userxattr: b.Userxattr, Volatile: b.Volatile,
	})
}

// Remount is Mount where nothing is mounted yet.
func (b *Bundle) Remount(ctx context.Context) error {
	if err := b.Mount(ctx); !errors.Is(err, rootfs.ErrMounted) {
		return err
	}
	return nil
}

// Unmount takes the root file system's mount away; what was written stays.
func (b *Bundle) Unmount() error { return rootfs.Unmount(b.Rootfs()) }

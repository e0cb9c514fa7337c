package build

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/davit-containers/davit/bundle/rootfs"
)

// root is a root file system that a step works in.
type root struct {
	dir  string // of its own
	w    rootfs.Writable
	file *os.File // the root directory
}

func (r *root) target() string { return filepath.Join(r.dir, "rootfs") }
func (r *root) upper() string  { return r.w.Upper() }

// root mounts layers with a writable one on top.
func (b *builder) root(ctx context.Context, dirs []string) (*root, error) {
	dir, err := b.work.Scratch()
	if err != nil {
		return nil, err
	}
	r := &root{dir: dir}
	if err := r.mount(ctx, dirs, b.support.Userxattr); err != nil {
		return nil, errors.Join(err, r.unmount(), r.remove())
	}
	return r, nil
}

func (r *root) mount(ctx context.Context, dirs []string, userxattr bool) (err error) {
	if r.w, err = rootfs.MakeWritable(filepath.Join(r.dir, "writable"), userxattr, dirs); err != nil {
		return err
	}
	if err := os.Mkdir(r.target(), 0o755); err != nil {
		return err
	}
	err = rootfs.Mount(ctx, rootfs.Spec{
		Lower: dirs, Upper: r.w.Upper(), Work: r.w.Work(), Target: r.target(), Userxattr: userxattr, Volatile: true,
	})
	if err != nil {
		return err
	}
	r.file, err = os.Open(r.target())
	return err
}

// unmount leaves the writable layer.
func (r *root) unmount() error {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
	return rootfs.Unmount(r.target())
}

// remove removes all that is left.
func (r *root) remove() error { return rootfs.Remove(r.dir) }

// view is a root file system that is only read. It is mounted when it is wanted.
type view struct {
	once sync.Once
	dir  string
	file *os.File
	err  error
}

// open mounts layers to be read.
func (v *view) open(ctx context.Context, b *builder, dirs []string) (*files, error) {
	v.once.Do(func() { v.err = v.mount(ctx, b, dirs) })
	return &files{root: v.file, owned: true}, v.err
}

func (v *view) mount(ctx context.Context, b *builder, dirs []string) (err error) {
	if v.dir, err = b.work.Scratch(); err != nil {
		return err
	}
	if len(dirs) > 0 {
		if err := rootfs.Mount(ctx, rootfs.Spec{Lower: dirs, Target: v.dir, Userxattr: b.support.Userxattr}); err != nil {
			return err
		}
	}
	v.file, err = os.Open(v.dir)
	return err
}

func (v *view) close() error {
	if v.dir == "" {
		return nil
	}
	if v.file != nil {
		v.file.Close()
	}
	return errors.Join(rootfs.Unmount(v.dir), os.Remove(v.dir))
}

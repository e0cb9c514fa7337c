package build

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/davit-containers/davit/bundle/rootfs"
)

// WriteTo copies the tree into a directory, which is made if need be.
func (t Tree) WriteTo(ctx context.Context, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if len(t.Dirs) == 0 {
		return nil
	}
	to, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer to.Close()
	from, err := t.scratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rootfs.Unmount(from), os.Remove(from)) }()
	if err := rootfs.Mount(ctx, rootfs.Spec{Lower: t.Dirs, Target: from, Userxattr: t.Userxattr}); err != nil {
		return err
	}
	root, err := os.Open(from)
	if err != nil {
		return err
	}
	defer root.Close()
	return t.copy(ctx, &files{root: root, owned: true}, to, dir)
}

func (t Tree) copy(ctx context.Context, tree *files, to *os.File, dir string) error {
	s, err := tree.read("/", "/", nil)
	if err != nil {
		return err
	}
	defer s.close()
	at, err := placeFor(to, "/", true, "", &owner{})
	if err != nil {
		return err
	}
	copying := &copier{ctx: ctx, root: to, warn: func(string) {}}
	if err := copying.source(s, at); err != nil {
		return fmt.Errorf("writing to %s: %w", dir, err)
	}
	return nil
}

package layer

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// Result is what there is to know of a settled layer.
type Result struct {
	// Opaque says that the layer hides all layers below. Its root directory
	// carries overlayfs's attribute for that, but overlayfs does not look for it
	// there: those layers are to be left out of the mount.
	Opaque bool
}

// Settle makes an unpacked layer right for the layers below it, which are
// settled themselves: the nearest first, and none below one that is opaque
// ([Result]). Then the layer's directory is complete, and s is used up, also
// after an error.
//
// A directory without an entry of its own gets what the layers below say about
// it; where it is a symbolic link there, its content goes where the link leads.
// Hard links to files of the layers below take a copy of them along. Whiteouts
// stay only where they hide something.
//
// Overlayfs takes the metadata of a merged root directory from the uppermost
// layer: whoever adds a writable layer copies it there.
func (s *Unsettled) Settle(ctx context.Context, lower []*os.File) (Result, error) {
	u := s.u
	defer u.close()
	defer runtime.KeepAlive(lower)
	below, err := u.lowerRoot(lower)
	if err != nil {
		return Result{}, err
	}
	form := &overlay{u: u}
	if err := withoutUmask(u, func() error { return u.settle(ctx, below, form) }); err != nil {
		return Result{}, err
	}
	return Result{Opaque: u.root.dir.opaque}, nil
}

// lowerRoot is the root directory of the layers below.
func (u *unpacker) lowerRoot(lower []*os.File) (*lowerDir, error) {
	root := &lowerDir{}
	for _, f := range lower {
		part := &lowerPart{base: int(f.Fd())}
		root.parts = append(root.parts, part)
		last, err := u.isOpaque(root, part)
		if err != nil {
			return nil, err
		}
		if last {
			break
		}
	}
	if len(root.parts) == 0 {
		return nil, nil
	}
	return root, nil
}

// form is what a settled layer becomes.
type form interface {
	// linkBelow makes n a hard link to a file of the layers below.
	linkBelow(n *node, to across) error
	// write carries out the layer: whiteouts, opaque directories.
	write() error
}

// settle settles the layer in the order in which one thing needs the other.
func (u *unpacker) settle(ctx context.Context, below *lowerDir, f form) error {
	u.ctx, u.entry = ctx, nil
	u.root.dir.below, u.root.dir.belowKnown = below, true
	steps := []func() error{
		u.followLinks,
		func() error { return u.linkAcross(f) },
		u.removeAside,
		func() error { return u.prune(u.root) },
		f.write,
		func() error { return u.finish(u.root) },
	}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// removeAside removes what is no part of the layer.
func (u *unpacker) removeAside() error {
	for _, name := range []string{asideName, linksOfAUFS} {
		if n := u.root.child(name); n != nil {
			if err := u.remove(n); err != nil {
				return err
			}
			n.detach()
		}
	}
	return nil
}

// prune finds out which whiteouts hide something, and forgets the others, and
// directories that were only on the way to them.
func (u *unpacker) prune(n *node) error {
	if !n.dir.marked {
		return nil
	}
	view, err := u.view(n)
	if err != nil {
		return err
	}
	for _, c := range n.dir.children {
		switch c.kind {
		case nothing:
			err = u.pruneWhiteout(c, view)
		case directory:
			if err = u.prune(c); err == nil {
				err = u.pruneDirectory(c, view)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) pruneWhiteout(n *node, view *lowerDir) error {
	hidden, err := u.lookup(view, n.name)
	if err == nil && (hidden == nil || !n.hides) {
		n.detach()
	}
	return err
}

// pruneDirectory forgets a directory that says nothing.
func (u *unpacker) pruneDirectory(n *node, view *lowerDir) error {
	below, err := u.below(n)
	if err != nil || n.dir.meta != nil || len(n.dir.children) > 0 || n.dir.opaque && below != nil {
		return err
	}
	if err := u.removeEmpty(n); err != nil {
		return err
	}
	n.kind, n.dir = nothing, nil
	return u.pruneWhiteout(n, view)
}

// bySeq are a directory's children in the order of the archive.
func (n *node) bySeq() []*node {
	children := make([]*node, 0, len(n.dir.children))
	for _, c := range n.dir.children {
		children = append(children, c)
	}
	slices.SortFunc(children, func(a, b *node) int { return int(a.seq) - int(b.seq) })
	return children
}

// finish gives directories their metadata, when nothing is changed in them any
// more.
func (u *unpacker) finish(n *node) error {
	for _, c := range n.dir.children {
		if c.kind == directory {
			if err := u.finish(c); err != nil {
				return err
			}
		}
	}
	m, err := u.metaOfDirectory(n)
	if err != nil {
		return err
	}
	if err := u.dressDirectory(n, m); err != nil {
		return &EntryError{n.path(), err}
	}
	u.dirs.drop(&n.dir.slot)
	return u.ctx.Err()
}

// metaOfDirectory is a directory's metadata: of its entry, or else of what the
// layers below have there.
func (u *unpacker) metaOfDirectory(n *node) (*meta, error) {
	if n.dir.meta != nil {
		return n.dir.meta, nil
	}
	below, err := u.below(n)
	if err != nil {
		return nil, err
	}
	if below != nil {
		return u.metaBelow(below.parts[0])
	}
	root, err := u.o.owner(0, 0)
	if err != nil {
		root = u.self
	}
	return &meta{owner: root, mode: 0o755, atime: n.dir.mtime, mtime: n.dir.mtime}, nil
}

// metaBelow is the metadata of a directory of the layers below.
func (u *unpacker) metaBelow(p *lowerPart) (*meta, error) {
	fd, err := u.openPart(p)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	return metaOfStat(fd, &st)
}

// metaOfStat is the metadata of an open file.
func metaOfStat(fd int, st *unix.Stat_t) (*meta, error) {
	xattrs, err := readXattrs(fd)
	return &meta{
		owner: owner{int(st.Uid), int(st.Gid)}, mode: st.Mode & 0o7777,
		atime: st.Atim, mtime: st.Mtim, xattrs: xattrs,
	}, err
}

// dressDirectory gives a directory its metadata.
func (u *unpacker) dressDirectory(n *node, m *meta) error {
	fd, err := u.open(n)
	if err != nil {
		return err
	}
	if n.dir.kept {
		return setTimes(fd, m.atime, m.mtime)
	}
	if n.dir.existed {
		return u.redress(fd, n, m)
	}
	return u.dress(fd, n, m, n.dir.mode)
}

// redress gives a directory that was there before other metadata.
func (u *unpacker) redress(fd int, n *node, m *meta) error {
	names, err := xattrNames(fd)
	if err != nil {
		return err
	}
	for _, name := range names {
		if foreign(name) {
			continue
		}
		if err := unix.Fremovexattr(fd, name); err != nil && err != unix.ENODATA {
			return fmt.Errorf("removing extended attribute %q: %w", name, err)
		}
	}
	if !u.o.OneOwner {
		if err := unix.Fchown(fd, m.uid, m.gid); err != nil {
			return chownError(m.owner, err)
		}
	}
	if err := unix.Fchmod(fd, m.mode); err != nil {
		return fmt.Errorf("changing mode: %w", err)
	}
	if err := u.setXattrs(n, m.xattrs, setXattrOf(fd)); err != nil {
		return err
	}
	return setTimes(fd, m.atime, m.mtime)
}

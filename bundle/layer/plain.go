package layer

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Plain is a directory into which layers are unpacked, one after the other, the
// lowest first.
type Plain struct {
	dir *os.File
	o   Options
	// begun says that the directory has layers.
	begun bool
}

// NewPlain unpacks into a directory: an empty one, or one with the layers below.
func NewPlain(dir *os.File, o Options) *Plain { return &Plain{dir: dir, o: o} }

// Apply unpacks a layer's archive, and carries out its whiteouts. While it
// works, what it unpacks is in a directory beside the layers below, which is
// removed at the end; after an error the directory is neither what it was nor
// what it was to be.
//
// Errors: those of [Unpack].
func (p *Plain) Apply(ctx context.Context, tar io.Reader) error {
	defer runtime.KeepAlive(p.dir)
	form := &plain{dir: int(p.dir.Fd()), stage: asideName + "-" + rand.Text()}
	below, err := p.below()
	if err != nil {
		return fmt.Errorf("unpacking into %s: %w", p.dir.Name(), err)
	}
	if err := form.prepare(below); err != nil {
		return fmt.Errorf("unpacking into %s: %w", p.dir.Name(), err)
	}
	p.begun = true
	err = form.apply(ctx, p.o, tar, below)
	if removing := removeAll(form.dir, form.stage); err == nil {
		err = removing
	}
	return err
}

// below are the layers below: nil where there are none yet.
func (p *Plain) below() (*lowerDir, error) {
	if !p.begun {
		names, err := namesIn(int(p.dir.Fd()))
		if err != nil || len(names) == 0 {
			return nil, err
		}
	}
	return &lowerDir{plain: true, parts: []*lowerPart{{base: int(p.dir.Fd())}}}, nil
}

// plain is the form in which layers are laid over each other.
type plain struct {
	u     *unpacker
	dir   int
	stage string // the directory in dir that the layer is unpacked into
	root  *meta  // of dir, before it was changed
}

// prepare makes the directory for unpacking.
func (p *plain) prepare(below *lowerDir) error {
	var st unix.Stat_t
	if err := unix.Fstat(p.dir, &st); err != nil {
		return err
	}
	if below != nil {
		p.root = &meta{owner: owner{int(st.Uid), int(st.Gid)}, mode: st.Mode & 0o7777, atime: st.Atim, mtime: st.Mtim}
	}
	return unix.Mkdirat(p.dir, p.stage, 0o700)
}

func (p *plain) apply(ctx context.Context, o Options, tar io.Reader, below *lowerDir) error {
	base, err := openBeneath(p.dir, []byte(p.stage))
	if err != nil {
		return fmt.Errorf("opening directory for a layer: %w", err)
	}
	u := newUnpacker(ctx, base, o)
	defer u.close()
	p.u = u
	return withoutUmask(u, func() error {
		if err := u.unpack(tar)(); err != nil {
			return err
		}
		return u.settle(ctx, below, p)
	})
}

// linkBelow makes the link: the file is there, and stays the same one.
func (p *plain) linkBelow(n *node, to across) error {
	source, err := p.u.openPart(to.file.part)
	if err != nil {
		return err
	}
	dest, err := p.u.open(n.parent)
	if err != nil {
		return err
	}
	if err := unix.Linkat(source, to.file.name, dest, n.name, 0); err != nil {
		return fmt.Errorf("linking to a file of a layer below: %w", err)
	}
	return nil
}

// write moves the layer over those below. From then on its tree is theirs.
func (p *plain) write() error {
	root := &lowerPart{base: p.dir}
	if err := p.lay(p.u.root, root, p.root); err != nil {
		return err
	}
	p.u.dirs.dropAll()
	unix.Close(p.u.base)
	var err error
	if p.u.base, err = unix.FcntlInt(uintptr(p.dir), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return fmt.Errorf("opening directory again: %w", err)
	}
	return removeAll(p.dir, p.stage)
}

// lay moves what is in a directory of the layer into the one that is there, whose
// metadata was before.
func (p *plain) lay(n *node, to *lowerPart, before *meta) error {
	n.dir.existed = true
	if n.dir.meta == nil && before != nil {
		n.dir.meta, n.dir.kept = before, true
	}
	if n.dir.opaque {
		if err := p.emptyOut(to); err != nil {
			return err
		}
	}
	for _, c := range n.dir.children {
		if err := p.layChild(c, to); err != nil {
			return &EntryError{c.path(), err}
		}
	}
	p.u.dirs.drop(&n.dir.slot)
	n.dir.made = true
	return nil
}

// emptyOut removes what is in an opaque directory.
func (p *plain) emptyOut(to *lowerPart) error {
	fd, err := p.u.openPart(to)
	if err != nil {
		return err
	}
	names, err := namesIn(fd)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == p.stage {
			continue
		}
		if fd, err = p.u.openPart(to); err != nil {
			return err
		}
		if err := removeAll(fd, name); err != nil {
			return err
		}
	}
	return nil
}

func (p *plain) layChild(c *node, to *lowerPart) error {
	if c.kind == directory {
		below, err := p.u.below(c)
		if err != nil {
			return err
		}
		if below != nil {
			before, err := p.u.metaBelow(below.parts[0])
			if err != nil {
				return err
			}
			return p.lay(c, below.parts[0], before)
		}
	}
	dest, err := p.u.openPart(to)
	if err != nil {
		return err
	}
	if c.kind == nothing {
		return removeAll(dest, c.name)
	}
	source, err := p.u.open(c.parent)
	if err != nil {
		return err
	}
	return replace(source, dest, c.name)
}

// replace moves a file of any kind, over one of any kind.
func replace(source, dest int, name string) error {
	err := unix.Renameat(source, name, dest, name)
	switch err {
	case nil:
		return nil
	case unix.EISDIR, unix.ENOTDIR, unix.ENOTEMPTY, unix.EEXIST:
		if err := removeAll(dest, name); err != nil {
			return err
		}
		err = unix.Renameat(source, name, dest, name)
	}
	if err != nil {
		return fmt.Errorf("moving over the layers below: %w", err)
	}
	return nil
}

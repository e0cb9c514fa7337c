package layer

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/davit-containers/davit/bundle/layer/tarstream"
	"golang.org/x/sys/unix"
)

// unpacker makes a layer's files in a directory of its own, and remembers what
// it made.
type unpacker struct {
	o    Options
	ctx  context.Context
	base int // the directory, a descriptor of our own
	root *node
	dirs *cache
	self owner // who owns what we make
	// masked says that the process's umask applies to us.
	masked bool
	// limited says that we may not do all that layers ask for: we are in a user
	// namespace, or not root.
	limited bool

	tar      *tarstream.Reader
	entry    *tarstream.Entry
	seq      uint32
	mtime    stamp // of directories that become necessary
	nodes    int
	bytes    int64
	reported int64
	scratch  []byte

	aside *node // holds what goes through links, until they are resolved
	// unsure are directories without an entry, which may be links below, and
	// links that something goes through. What one depends on stands before it.
	unsure  []*node
	orphans []orphan // what went through links that were replaced since
	links   []*node  // hard links to what this layer does not have
	// linked are the files with several names of those layers below that were asked
	// for them, by the layers' descriptors.
	linked map[int]inodes
}

// orphan is what went through a symbolic link that is no more.
type orphan struct {
	at      string // the directory that the link was in
	target  string
	through *node
}

// Unsettled is an unpacked layer that knows nothing of those below it.
type Unsettled struct{ u *unpacker }

// Unpack unpacks a layer's archive into an empty directory, for overlayfs. The
// result is settled on the layers below, which may still be unpacking now.
// Where it fails, what it made is left to the caller to remove.
//
// Errors: [*EntryError], [ErrInvalid], those of tar and its headers, and the
// context's.
func Unpack(ctx context.Context, dir *os.File, tar io.Reader, o Options) (*Unsettled, error) {
	base, err := unix.FcntlInt(dir.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("unpacking into %s: %w", dir.Name(), err)
	}
	u := newUnpacker(ctx, base, o)
	if err := withoutUmask(u, u.unpack(tar)); err != nil {
		u.close()
		return nil, err
	}
	u.dirs.dropAll()
	return &Unsettled{u}, nil
}

// Close gives up a layer that will not be settled.
func (s *Unsettled) Close() error {
	s.u.close()
	return nil
}

func newUnpacker(ctx context.Context, base int, o Options) *unpacker {
	o.Limits = o.Limits.withDefaults()
	root := &node{kind: directory, dir: &dirPart{made: true, mode: 0o700}}
	return &unpacker{
		o: o, ctx: ctx, base: base, root: root, dirs: newCache(),
		self: owner{os.Geteuid(), os.Getegid()}, limited: os.Geteuid() != 0 || inUserNamespace(),
	}
}

func (u *unpacker) close() {
	u.dirs.dropAll()
	if u.base >= 0 {
		unix.Close(u.base)
		u.base = -1
	}
}

// unpack reads the whole archive.
func (u *unpacker) unpack(tar io.Reader) func() error {
	return func() error {
		if err := u.prepare(); err != nil {
			return err
		}
		u.tar = tarstream.NewReader(blocksOf(tar))
		for {
			entry, err := u.tar.Next()
			if err == io.EOF {
				u.progress(0)
				return nil
			}
			if err != nil {
				return fmt.Errorf("reading layer's archive: %w", err)
			}
			u.entry, u.seq, u.mtime = entry, u.seq+1, stampOf(entry.Mtime)
			if u.seq == 1 {
				u.root.dir.mtime = u.mtime
			}
			if err := u.next(); err != nil {
				return &EntryError{entry.Name, err}
			}
			u.progress(blockSize)
		}
	}
}

// prepare makes the directory one whose children inherit nothing from it.
func (u *unpacker) prepare() error {
	if err := unix.Fchown(u.base, u.self.uid, u.self.gid); err != nil {
		return fmt.Errorf("preparing layer's directory: %w", err)
	}
	if err := unix.Fchmod(u.base, 0o700); err != nil {
		return fmt.Errorf("preparing layer's directory: %w", err)
	}
	// Most directories have no such list, and some file systems none at all.
	_ = unix.Fremovexattr(u.base, "system.posix_acl_default")
	return nil
}

func (u *unpacker) progress(step int64) {
	if read := u.tar.Consumed(); u.o.Progress != nil && read-u.reported >= step {
		u.reported = read
		u.o.Progress(read)
	}
}

// next unpacks one entry.
func (u *unpacker) next() error {
	if err := u.ctx.Err(); err != nil {
		return err
	}
	if err := u.checkEntries(); err != nil {
		return err
	}
	path, err := cleanPath(u.entry.Name)
	if err != nil {
		return err
	}
	if path == "" {
		return u.rootEntry()
	}
	dir, base := splitPath(path)
	if u.o.FilesAlone && likeWhiteout(path) {
		return fmt.Errorf("%w: a layer cannot hold a name that begins with .wh.", ErrInvalid)
	}
	switch whiteoutOf(dir, base) {
	case leftOut:
		return nil
	case misplaced:
		return fmt.Errorf("%w: a file in a whiteout", ErrInvalid)
	case opaque:
		return u.opaque(dir)
	case whiteout:
		return u.whiteout(dir, strings.TrimPrefix(base, whiteoutPrefix))
	}
	return u.file(dir, base)
}

// checkEntries refuses a layer with too many entries, or directories implied by
// them: one entry can imply thousands.
func (u *unpacker) checkEntries() error {
	if limit := u.o.Limits.Entries; int(u.seq) > limit || u.nodes > limit {
		return fmt.Errorf("%w: it has more than %d entries", ErrInvalid, limit)
	}
	return nil
}

// add gives a directory a child, which says nothing yet.
func (u *unpacker) add(parent *node, name string) *node {
	u.nodes++
	return parent.add(name)
}

// rootEntry is the entry of the root directory.
func (u *unpacker) rootEntry() error {
	if u.entry.Type != tarstream.Directory {
		return fmt.Errorf("%w: the root is not a directory", ErrInvalid)
	}
	return u.describe(u.root)
}

// describe gives a directory the metadata of its entry.
func (u *unpacker) describe(n *node) error {
	m, err := u.o.metaOf(u.entry)
	if err != nil {
		return err
	}
	n.dir.meta, n.seq = &m, u.seq
	return nil
}

// file unpacks an entry that is no whiteout.
func (u *unpacker) file(dir, base string) error {
	e := u.entry
	if e.Type == tarstream.CharDev && e.Major == 0 && e.Minor == 0 {
		// This is what overlayfs makes of a whiteout, and takes for one.
		return u.whiteout(dir, base)
	}
	parent, err := u.parent(dir)
	if err != nil {
		return err
	}
	switch e.Type {
	case tarstream.Directory:
		return u.directory(parent, base)
	case tarstream.HardLink:
		return u.hardLink(parent, base)
	}
	n, err := u.vacate(parent, base)
	if err != nil {
		return err
	}
	return u.make(n)
}

// directory unpacks a directory's entry. One that is there stays, with other
// metadata.
func (u *unpacker) directory(parent *node, base string) error {
	n := parent.child(base)
	if n == nil || n.kind != directory {
		var err error
		if n, err = u.vacate(parent, base); err != nil {
			return err
		}
		n.kind, n.dir = directory, &dirPart{}
	}
	if n.depth() > u.o.Limits.Depth {
		return errDepth(u.o.Limits.Depth)
	}
	if err := u.describe(n); err != nil {
		return err
	}
	_, err := u.open(n)
	return err
}

func errDepth(limit int) error {
	return fmt.Errorf("%w: more than %d directories inside of each other", ErrInvalid, limit)
}

// vacate makes room for a new file, and returns its node.
func (u *unpacker) vacate(parent *node, base string) (*node, error) {
	n := parent.child(base)
	if n == nil {
		n = u.add(parent, base)
	} else if n.kind != nothing {
		if err := u.remove(n); err != nil {
			return nil, err
		}
		// What the layers below have here was replaced already.
		n.hides = true
		parent.mark()
	}
	n.seq = u.seq
	return n, nil
}

// remove removes what the layer has at a node, which then says nothing.
func (u *unpacker) remove(n *node) error {
	u.forget(n)
	dir, err := u.open(n.parent)
	if err != nil {
		return err
	}
	kind := n.kind
	n.kind, n.dir, n.link = nothing, nil, nil
	if kind == pending {
		return nil
	}
	if err := removeAll(dir, n.name); err != nil {
		return fmt.Errorf("replacing %s: %w", n.name, err)
	}
	return nil
}

// forget lets go what is remembered of a node and of all below it. What goes
// through links stays, since it is elsewhere.
func (u *unpacker) forget(n *node) {
	if n.link != nil && n.link.through != nil {
		u.orphans = append(u.orphans, orphan{n.parent.path(), n.link.target, n.link.through})
		n.link.through = nil
	}
	if n.kind == directory {
		u.dirs.drop(&n.dir.slot)
		for _, c := range n.dir.children {
			u.forget(c)
			c.parent = nil
		}
		n.dir.children = nil
	}
}

// open opens a node's directory, which it makes where it is not there yet.
func (u *unpacker) open(n *node) (int, error) {
	if n.dir.open { // The closure below is not free.
		return u.dirs.get(&n.dir.slot, nil)
	}
	if !n.dir.made {
		return u.makeDirectory(n)
	}
	return u.dirs.get(&n.dir.slot, func() (int, error) {
		from, at := u.nearestOpen(n)
		path := n.appendPath(u.scratch[:0], from)
		u.scratch = path
		if len(path) == 0 {
			path = append(path, '.')
		}
		fd, err := openBeneath(at, path)
		if err != nil {
			return -1, fmt.Errorf("opening directory %s: %w", n.path(), err)
		}
		return fd, nil
	})
}

// nearestOpen is the nearest directory above a node that is open.
func (u *unpacker) nearestOpen(n *node) (*node, int) {
	for up := n.parent; up != nil; up = up.parent {
		if up.dir.open {
			return up, up.dir.fd
		}
	}
	return nil, u.base
}

// blocksOf are the blocks of an archive.
func blocksOf(tar io.Reader) tarstream.Blocks {
	if blocks, ok := tar.(tarstream.Blocks); ok {
		return blocks
	}
	return &readBlocks{r: tar, buf: make([]byte, 0, sourceSize)}
}

// readBlocks are blocks read from any reader.
type readBlocks struct {
	r   io.Reader
	buf []byte
	err error
}

func (b *readBlocks) Next() ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	var data []byte
	if data, b.err = fill(b.buf, b.r); len(data) > 0 {
		return data, nil
	}
	return nil, b.err
}

package layer

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// cleanPath is an archive's name for a file, relative to the root and without
// detours: empty for the root.
func cleanPath(name string) (string, error) {
	name = strings.TrimPrefix(strings.TrimLeft(name, "/"), "./")
	if isClean(name) {
		return strings.TrimSuffix(name, "/"), nil
	}
	name = path.Clean(name)
	if name == ".." || strings.HasPrefix(name, "../") {
		return "", fmt.Errorf("%w: the name leads out of it", ErrInvalid)
	}
	if name == "." {
		return "", nil
	}
	return name, nil
}

// isClean says whether a path has no empty component and none that is "." or "..".
func isClean(name string) bool {
	return !strings.Contains(name, "//") && !strings.HasPrefix(name, ".") && !strings.Contains(name, "/.")
}

func splitPath(path string) (dir, base string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// Whiteouts are files with this prefix.
// Spec: image-spec layer.md#whiteouts
const (
	whiteoutPrefix = ".wh."
	metaPrefix     = ".wh..wh."
	opaqueName     = ".wh..wh..opq"
	// linksOfAUFS has the files that hard links of old Docker's lead to.
	linksOfAUFS = ".wh..wh.plnk"
	// asideName is where we keep what has no place yet.
	asideName = ".wh..wh.davit"
)

// meaning is what a name means for whiteouts.
type meaning int

const (
	ordinary  meaning = iota
	whiteout          // of the name without the prefix
	opaque            // the directory hides what is below
	leftOut           // what AUFS kept for itself
	misplaced         // no layer has such a name
)

// whiteoutOf tells what the name of an entry means.
// Compat(docker): names of AUFS's at the root are left out.
func whiteoutOf(dir, base string) meaning {
	top, _, _ := strings.Cut(dir, "/")
	switch {
	case top == linksOfAUFS, dir == "" && base == linksOfAUFS:
		return ordinary
	case strings.HasPrefix(top, metaPrefix):
		return leftOut
	case likeWhiteout(dir):
		return misplaced
	case base == opaqueName:
		return opaque
	case dir == "" && strings.HasPrefix(base, metaPrefix):
		return leftOut
	case strings.HasPrefix(base, whiteoutPrefix):
		return whiteout
	}
	return ordinary
}

// likeWhiteout tells whether a name in a path begins as those of whiteouts do.
func likeWhiteout(path string) bool {
	return strings.HasPrefix(path, whiteoutPrefix) || strings.Contains(path, "/"+whiteoutPrefix)
}

// whiteout remembers that a name of the layers below is gone.
func (u *unpacker) whiteout(dir, base string) error {
	if base == "" || base == "." || base == ".." {
		return fmt.Errorf("%w: a whiteout of nothing", ErrInvalid)
	}
	parent, err := u.parent(dir)
	if err != nil {
		return err
	}
	n := parent.child(base)
	if n == nil {
		n = u.add(parent, base)
	}
	n.hides = true
	parent.mark()
	return nil
}

// opaque remembers that a directory hides what is below.
func (u *unpacker) opaque(dir string) error {
	n, err := u.parent(dir)
	if err != nil {
		return err
	}
	n.dir.opaque = true
	n.mark()
	return nil
}

// parent is the directory of a path, made of what this layer has. What it does
// not have is taken for a directory: settling finds out.
func (u *unpacker) parent(dir string) (*node, error) {
	at, depth := u.root, 0
	for dir != "" {
		name, rest, _ := strings.Cut(dir, "/")
		if depth++; depth >= u.o.Limits.Depth {
			return nil, errDepth(u.o.Limits.Depth)
		}
		next, err := u.step(at, name)
		if err != nil {
			return nil, err
		}
		at, dir = next, rest
	}
	return at, nil
}

// step goes from a directory to one in it.
func (u *unpacker) step(at *node, name string) (*node, error) {
	n := at.child(name)
	switch {
	case n == nil:
		n = u.add(at, name)
	case n.kind == directory:
		return n, nil
	case n.kind == symlink:
		return u.throughLink(n)
	case n.kind != nothing:
		if _, err := u.vacate(at, name); err != nil {
			return nil, err
		}
	}
	u.imply(n)
	return n, u.checkEntries()
}

// imply makes a node a directory that has no entry.
func (u *unpacker) imply(n *node) {
	n.kind, n.seq, n.dir = directory, u.seq, &dirPart{mtime: u.mtime}
	n.mark()
	u.unsure = append(u.unsure, n)
}

// throughLink is the directory for what goes through a symbolic link.
func (u *unpacker) throughLink(link *node) (*node, error) {
	if through := link.link.through; through != nil {
		return through, nil
	}
	if u.aside == nil {
		u.aside = u.root.add(asideName)
		u.aside.kind, u.aside.dir = directory, &dirPart{}
	}
	n := u.aside.add(fmt.Sprint(len(u.aside.dir.children)))
	n.kind, n.seq, n.dir = directory, u.seq, &dirPart{mtime: u.mtime}
	link.link.through = n
	u.unsure = append(u.unsure, link)
	return n, nil
}

// find is the node of a path, if this layer has it and it is certain which it
// is; nil otherwise.
func (u *unpacker) find(path string) *node {
	at := u.root
	for path != "" {
		name, rest, _ := strings.Cut(path, "/")
		if at = at.within(); at == nil {
			return nil
		}
		at, path = at.child(name), rest
		if at == nil {
			return nil
		}
	}
	return at
}

// within is where what is in a node is.
func (n *node) within() *node {
	switch {
	case n.kind == directory:
		return n
	case n.kind == symlink && n.link.through != nil:
		return n.link.through
	}
	return nil
}

// errLoop is for links that lead nowhere.
var errLoop = fmt.Errorf("%w (in the layer's links)", unix.ELOOP)

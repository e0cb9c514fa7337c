package layer

import "github.com/davit-containers/davit/bundle/layer/tarstream"

// kind is what a layer has at a path, as far as the unpacker must remember.
type kind uint8

const (
	nothing   kind = iota // only a whiteout
	directory             // has node.dir
	symlink               // has node.link
	other                 // a file, device or FIFO
	pending               // a hard link to what this layer does not have; has node.link
)

// node is a path that a layer says something about.
type node struct {
	name   string
	parent *node
	dir    *dirPart
	link   *linkPart
	seq    uint32 // which of the layer's entries made it
	kind   kind
	// hides says that what the layers below have here is gone, also where the
	// layer has a directory of its own.
	hides bool
}

// dirPart is what there is to remember of a directory.
type dirPart struct {
	slot
	children map[string]*node
	meta     *meta // nil where the layer has no entry for it
	mtime    stamp // of the entry that made it necessary, where meta is nil
	opaque   bool
	made     bool   // on disk
	mode     uint32 // that it was made with
	existed  bool   // before this layer, with metadata of its own
	kept     bool   // it keeps that
	// marked says that something in or below it depends on the layers below.
	marked bool
	// below is the directory that layers below have here, as far as it shows.
	below      *lowerDir
	belowKnown bool
}

// linkPart is what there is to remember of a link.
type linkPart struct {
	target string
	// through has what the layer puts into the directory that a symbolic link
	// leads to: which one that is can depend on the layers below.
	through *node
}

// meta is a directory's metadata.
type meta struct {
	owner
	mode         uint32
	atime, mtime stamp
	xattrs       []tarstream.Xattr
}

func (n *node) child(name string) *node { return n.dir.children[name] }

// add gives a directory a child, which says nothing yet.
func (n *node) add(name string) *node {
	c := &node{name: name, parent: n}
	n.adopt(c)
	return c
}

// adopt makes c a child of n.
func (n *node) adopt(c *node) {
	if n.dir.children == nil {
		n.dir.children = map[string]*node{}
	}
	c.parent = n
	n.dir.children[c.name] = c
}

// detach takes a node out of the tree.
func (n *node) detach() {
	if n.parent != nil && n.parent.dir.children[n.name] == n {
		delete(n.parent.dir.children, n.name)
	}
	n.parent = nil
}

// implicit says that the layer has no entry for a directory it has files in.
func (n *node) implicit() bool { return n.kind == directory && n.dir.meta == nil }

// mark remembers that something in a directory depends on the layers below.
func (n *node) mark() {
	for ; n != nil && !n.dir.marked; n = n.parent {
		n.dir.marked = true
	}
}

// depth is how many directories a node is in.
func (n *node) depth() int {
	depth := 0
	for ; n.parent != nil; n = n.parent {
		depth++
	}
	return depth
}

// path is where a node is, from the root of the layer.
func (n *node) path() string {
	return string(n.appendPath(nil, nil))
}

// appendPath appends the path from an ancestor, nil for the root.
func (n *node) appendPath(path []byte, from *node) []byte {
	if n == from || n.parent == nil {
		return path
	}
	if path = n.parent.appendPath(path, from); len(path) > 0 {
		path = append(path, '/')
	}
	return append(path, n.name...)
}

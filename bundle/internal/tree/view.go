package tree

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// View is the tree that layers show, one over the other.
type View struct {
	Marks  Marks
	layers []*Dir // nearest first
}

// OpenView opens the roots of layers, the nearest first.
func OpenView(marks Marks, layers ...string) (*View, error) {
	v := &View{Marks: marks}
	for _, l := range layers {
		d, err := Open(l)
		if err != nil {
			v.Close()
			return nil, err
		}
		v.layers = append(v.layers, d)
	}
	return v, nil
}

// Close closes the layers.
func (v *View) Close() {
	for _, l := range v.layers {
		l.Close()
	}
}

// Root is the directory at the top. Its layers are all of the view's: for
// overlayfs too, a layer's root hides nothing. It is nil without layers.
func (v *View) Root() *Node {
	if len(v.layers) == 0 {
		return nil
	}
	n := &Node{Path: ".", view: v}
	for i, l := range v.layers {
		n.parts = append(n.parts, part{layer: i, dir: l})
	}
	return n
}

// Node is a directory of a view.
type Node struct {
	Path  string // from the root, which is "."
	view  *View
	parts []part // the layers that have it, nearest first
}

// part is what one layer has of a directory.
type part struct {
	layer int
	dir   *Dir
}

// Entry is what a view shows under one name.
type Entry struct {
	Name  string
	Path  string // from the root of the view
	Layer int    // the layer that it comes from; 0 is the nearest
	In    *Dir   // the directory of that layer
	Stat  unix.Stat_t
	Marks Marks

	below  []part // for a directory: who else may have it, the nearest first
	merges bool   // what is still below adds to it
}

// IsDir says whether the entry is a directory.
func (e *Entry) IsDir() bool { return e.Stat.Mode&unix.S_IFMT == unix.S_IFDIR }

// Type is the entry's type as in st_mode.
func (e *Entry) Type() uint32 { return e.Stat.Mode & unix.S_IFMT }

// Xattrs are the entry's own extended attributes: see Marks.FileXattrs.
func (e *Entry) Xattrs() (map[string]string, error) { return e.Marks.FileXattrs(e.In, e.Name) }

// Opaque says whether the entry is a directory that hides what is below it.
func (e *Entry) Opaque() (bool, error) {
	if !e.IsDir() {
		return false, nil
	}
	return e.Marks.opaque(e.In, e.Name)
}

// Self is the directory itself as an entry, named ".".
func (n *Node) Self() (*Entry, error) {
	nearest := n.parts[0]
	st, err := nearest.dir.Stat(".")
	if err != nil {
		return nil, err
	}
	return &Entry{Name: ".", Path: n.Path, Layer: nearest.layer, In: nearest.dir, Stat: st, Marks: n.view.Marks}, nil
}

// Layer is the nearest layer that has the directory; 0 is the nearest of all.
func (n *Node) Layer() int { return n.parts[0].layer }

// Entries is what the directory shows, in the order of the names' bytes.
func (n *Node) Entries() ([]*Entry, error) {
	found := map[string]*Entry{} // a nil entry is a whiteout
	for _, p := range n.parts {
		if err := n.collect(p, found); err != nil {
			return nil, err
		}
	}
	var entries []*Entry
	for _, e := range found {
		if e != nil {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b *Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

// collect adds what one layer has in the directory to what nearer ones have.
func (n *Node) collect(p part, found map[string]*Entry) error {
	names, err := p.dir.Names()
	if err != nil {
		return err
	}
	asXattr, err := n.view.Marks.whiteouts(p.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		known, seen := found[name]
		if seen && (known == nil || !known.merges) {
			continue
		}
		st, err := p.dir.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since it was listed
		}
		if err != nil {
			return err
		}
		hidden, err := n.view.Marks.whiteout(p.dir, name, &st, asXattr)
		if err != nil {
			return err
		}
		switch {
		case seen:
			err = known.merge(p, !hidden && st.Mode&unix.S_IFMT == unix.S_IFDIR)
		case hidden:
			found[name] = nil
		default:
			found[name] = n.entry(p, name, st)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// entry is what one layer shows, as the nearest that has the name.
func (n *Node) entry(p part, name string, st unix.Stat_t) *Entry {
	return &Entry{
		Name: name, Path: path.Join(n.Path, name), Layer: p.layer, In: p.dir, Stat: st, Marks: n.view.Marks,
		below: []part{p}, merges: st.Mode&unix.S_IFMT == unix.S_IFDIR,
	}
}

// merge takes notice of what a further layer has under the entry's name: a
// directory adds to a directory, unless a nearer one is opaque.
func (e *Entry) merge(p part, isDir bool) error {
	last := e.below[len(e.below)-1]
	opaque, err := e.Marks.opaque(last.dir, e.Name)
	if err != nil {
		return err
	}
	if opaque || !isDir {
		e.merges = false
		return nil
	}
	e.below = append(e.below, p)
	return nil
}

// Sub opens a directory among the entries. Its Close is the caller's.
func (n *Node) Sub(e *Entry) (*Node, error) {
	sub := &Node{Path: e.Path, view: n.view}
	for _, p := range e.below {
		dir, err := p.dir.Sub(e.Name)
		if err != nil {
			sub.Close()
			return nil, err
		}
		sub.parts = append(sub.parts, part{layer: p.layer, dir: dir})
	}
	return sub, nil
}

// Close closes a directory below the root.
func (n *Node) Close() {
	for _, p := range n.parts {
		if p.dir.parent != nil {
			p.dir.Close()
		}
	}
}

package diff

import (
	"context"
	"fmt"

	"github.com/davit-containers/davit/bundle/internal/tree"
)

// Kind is what happened to a path.
type Kind string

// The kinds, in the letters that engines show.
const (
	Added    Kind = "A"
	Modified Kind = "C"
	Deleted  Kind = "D"
)

// Change is one path that differs between two trees.
type Change struct {
	Kind Kind
	Path string // from the root, which is "."
}

// Changes lists what differs between two trees, in the order in which a layer
// holds it. What is below a deleted directory is not listed.
func Changes(ctx context.Context, old, new Source, o Options) ([]Change, error) {
	var list lister
	if err := compare(ctx, old, new, &o, &list); err != nil {
		return nil, fmt.Errorf("comparing trees: %w", err)
	}
	return list.changes, nil
}

// sink gets what differs: see judge.
type sink interface {
	// enter is told of a directory, changed or not, before what is in it.
	enter(e *tree.Entry, kind Kind, changed bool) error
	// leave is told of its end.
	leave()
	// put is told of a file that is no directory.
	put(e *tree.Entry, kind Kind) error
	// remove is told of a path that has gone.
	remove(e *tree.Entry) error
}

// lister is a sink for Changes.
type lister struct{ changes []Change }

func (l *lister) add(e *tree.Entry, kind Kind) error {
	l.changes = append(l.changes, Change{kind, e.Path})
	return nil
}

func (l *lister) enter(e *tree.Entry, kind Kind, changed bool) error {
	if changed {
		return l.add(e, kind)
	}
	return nil
}

func (l *lister) leave()                             {}
func (l *lister) put(e *tree.Entry, kind Kind) error { return l.add(e, kind) }
func (l *lister) remove(e *tree.Entry) error         { return l.add(e, Deleted) }

// compare tells a sink what differs between two trees.
func compare(ctx context.Context, old, new Source, o *Options, out sink) error {
	w, err := openWalker(ctx, old, new, o)
	if err != nil {
		return err
	}
	defer w.close()
	j := judge{out: out, topOnly: w.topOnly}
	if !w.topOnly && len(old.dirs) > 0 {
		l := newLinks()
		if err := w.walk(l); err != nil {
			return err
		}
		j.forced = l.forced()
	}
	return w.walk(&j)
}

// judge decides for each pair what the layer gets.
type judge struct {
	out     sink
	topOnly bool            // each file in the new tree's top layer is a change
	forced  map[string]bool // paths that are changes for their hard links
}

// visit is visitor's.
func (j *judge) visit(p pair) error {
	if p.new == nil {
		return j.out.remove(p.old)
	}
	kind := Added
	if p.old != nil {
		kind = Modified
	}
	changed, err := j.changed(p)
	switch {
	case err != nil:
		return err
	case p.new.IsDir():
		return j.out.enter(p.new, kind, changed)
	case changed:
		return j.out.put(p.new, kind)
	}
	return nil
}

// changed says whether a path of the new tree differs from the old one.
//
// A file in the writable layer counts as changed, although it may be equal: only
// reading both to their ends could tell.
func (j *judge) changed(p pair) (bool, error) {
	if p.old == nil || p.old.Type() != p.new.Type() || j.forced[p.path()] || j.topOnly && !p.new.IsDir() {
		return true, nil
	}
	equal, err := same(p.old, p.new)
	return !equal, err
}

// after is visitor's.
func (j *judge) after(pair) { j.out.leave() }

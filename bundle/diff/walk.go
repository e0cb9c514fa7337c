package diff

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/internal/tree"
)

// pair is what two trees have under one path. Either may be nil, not both.
type pair struct {
	old, new *tree.Entry
}

// path is where the pair is.
func (p pair) path() string {
	if p.new != nil {
		return p.new.Path
	}
	return p.old.Path
}

// walker goes through two trees side by side.
type walker struct {
	ctx      context.Context
	opt      *Options
	old, new *tree.View
	// topOnly says that the new tree is the old one with a layer on top: what
	// that layer does not have is not looked at.
	topOnly bool
}

// openWalker opens two trees.
func openWalker(ctx context.Context, old, new Source, opt *Options) (*walker, error) {
	w := &walker{ctx: ctx, opt: opt, topOnly: new.on(old)}
	var err error
	if w.old, err = old.open(); err != nil {
		return nil, err
	}
	if w.new, err = new.open(); err != nil {
		w.old.Close()
		return nil, err
	}
	return w, nil
}

// close closes the trees.
func (w *walker) close() {
	w.old.Close()
	w.new.Close()
}

// visitor is told of each pair: first of a directory, then of what is in it;
// there first the names that have gone, then the others, in order. after is
// called at the end of each directory that both trees, or only the new one, have.
type visitor interface {
	visit(p pair) error
	after(p pair)
}

// walk visits both trees.
func (w *walker) walk(v visitor) error {
	old, new := w.old.Root(), w.new.Root()
	var root pair
	var err error
	if old != nil {
		if root.old, err = old.Self(); err != nil {
			return err
		}
	}
	if new == nil {
		return fmt.Errorf("making a layer: there is no tree to make it from")
	}
	if root.new, err = new.Self(); err != nil {
		return err
	}
	if err := v.visit(root); err != nil {
		return err
	}
	defer v.after(root)
	return w.directory(old, new, v)
}

// directory visits what a directory holds in the two trees. old is nil where
// only the new tree has it.
func (w *walker) directory(old, new *tree.Node, v visitor) error {
	if w.topOnly && new.Layer() != 0 {
		return nil
	}
	pairs, err := w.pairs(old, new)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if p.new == nil {
			if err := v.visit(p); err != nil {
				return err
			}
		}
	}
	for _, p := range pairs {
		if p.new == nil || w.topOnly && p.new.Layer != 0 {
			continue
		}
		if err := w.pair(old, new, p, v); err != nil {
			return err
		}
	}
	return nil
}

// pair visits one path that the new tree has, and what is below it.
func (w *walker) pair(old, new *tree.Node, p pair, v visitor) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if err := v.visit(p); err != nil {
		return err
	}
	if !p.new.IsDir() {
		return nil
	}
	defer v.after(p)
	newSub, err := new.Sub(p.new)
	if err != nil {
		return err
	}
	defer newSub.Close()
	if p.old == nil || !p.old.IsDir() {
		return w.directory(nil, newSub, v)
	}
	oldSub, err := old.Sub(p.old)
	if err != nil {
		return err
	}
	defer oldSub.Close()
	return w.directory(oldSub, newSub, v)
}

// pairs are the names of a directory in the two trees, in order, without what
// is excluded and what no layer can hold.
func (w *walker) pairs(old, new *tree.Node) ([]pair, error) {
	var olds []*tree.Entry
	var err error
	if old != nil {
		if olds, err = old.Entries(); err != nil {
			return nil, err
		}
	}
	news, err := new.Entries()
	if err != nil {
		return nil, err
	}
	var pairs []pair
	for len(olds) > 0 || len(news) > 0 {
		var p pair
		if len(news) == 0 || len(olds) > 0 && olds[0].Name <= news[0].Name {
			p.old = olds[0]
		}
		if len(olds) == 0 || len(news) > 0 && news[0].Name <= olds[0].Name {
			p.new = news[0]
		}
		if p.old != nil {
			olds = olds[1:]
		}
		if p.new != nil {
			news = news[1:]
		}
		if w.holds(&p) {
			pairs = append(pairs, p)
		}
	}
	return pairs, nil
}

// holds says whether a layer can hold a pair. A socket is as good as nothing.
func (w *walker) holds(p *pair) bool {
	if w.opt.excluded(p.path()) {
		return false
	}
	if p.new != nil && p.new.Type() == unix.S_IFSOCK {
		w.opt.skipped(p.path(), "sockets are not kept in layers")
		p.new = nil
	}
	if p.old != nil && p.old.Type() == unix.S_IFSOCK {
		p.old = nil
	}
	return p.old != nil || p.new != nil
}

package diff

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/internal/tree"
)

// class is the set of names that one file has: hard links of each other.
type class string

// classOf is an entry's class. Where a file has one name only, that is it.
func classOf(e *tree.Entry) class {
	if e.Stat.Nlink > 1 {
		return class(fmt.Sprint(e.Layer, e.Stat.Dev, e.Stat.Ino))
	}
	return class("/" + e.Path)
}

// links finds the files that a layer must hold for their hard links, although
// they may be equal by themselves: a layer that holds one name of a file holds
// them all, so that no link leads out of it.
type links struct {
	oldClass  map[string]class   // by path, of files that have several names in either tree
	survivors map[class]int      // how many of an old class's paths are left
	members   map[class][]string // by new class
	changed   map[class]bool     // new classes of which a path is not as it was
}

func newLinks() *links {
	return &links{map[string]class{}, map[class]int{}, map[class][]string{}, map[class]bool{}}
}

// visit takes notice of a pair: see visitor.
func (l *links) visit(p pair) error {
	if p.new == nil || p.new.IsDir() {
		return nil
	}
	isLinked := p.new.Stat.Nlink > 1
	wasThere := p.old != nil && p.old.Type() == p.new.Type()
	if !isLinked && !(wasThere && p.old.Stat.Nlink > 1) {
		return nil
	}
	c := classOf(p.new)
	l.members[c] = append(l.members[c], p.path())
	if !wasThere {
		l.changed[c] = true
		return nil
	}
	was := classOf(p.old)
	l.oldClass[p.path()] = was
	l.survivors[was]++
	equal, err := same(p.old, p.new)
	if !equal {
		l.changed[c] = true
	}
	return err
}

// after is visitor's.
func (l *links) after(pair) {}

// forced are the paths that the layer must hold.
func (l *links) forced() map[string]bool {
	forced := map[string]bool{}
	for c, paths := range l.members {
		if l.changed[c] || !l.kept(paths) {
			for _, p := range paths {
				forced[p] = true
			}
		}
	}
	return forced
}

// kept says whether the paths of a new class are one old class, or what is left
// of it.
func (l *links) kept(paths []string) bool {
	was := l.oldClass[paths[0]]
	for _, p := range paths {
		if l.oldClass[p] != was {
			return false
		}
	}
	return l.survivors[was] == len(paths)
}

// isLinked says whether an entry is a file with several names.
func isLinked(e *tree.Entry) bool {
	return e.Stat.Nlink > 1 && e.Stat.Mode&unix.S_IFMT != unix.S_IFDIR
}

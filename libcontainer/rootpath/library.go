package rootpath

import (
	"path"
	"strings"
)

// The bounds of a walk: how many libraries are looked for, and in how many
// places all in all.
const (
	maxLibraries = 64
	maxPlaces    = 2048
)

// loading walks through the libraries of a program as its dynamic loader
// would, without loading any.
type loading struct {
	d       *diagnosis
	program *object
	musl    bool
	dirs    []string // where the loader looks in the end; nil until needed
	seen    map[string]bool
	places  int
}

// object is a program or a library, and who needs it.
type object struct {
	*image
	path   InRoot
	parent *object
}

func newLoading(d *diagnosis, img *image, p InRoot) *loading {
	return &loading{
		d:       d,
		program: &object{img, p, nil},
		musl:    strings.HasPrefix(path.Base(img.interp), "ld-musl-"),
		seen:    map[string]bool{path.Base(img.interp): true},
	}
}

// missing names the first library that is not found, breadth first. What
// cannot be known for sure ends the walk without a finding.
func (l *loading) missing() (string, error) {
	queue := []*object{l.program}
	for len(queue) > 0 && len(l.seen) <= maxLibraries {
		o := queue[0]
		queue = queue[1:]
		for _, name := range o.needed {
			if l.seen[name] || l.builtin(name) {
				continue
			}
			l.seen[name] = true
			found, sure := l.find(o, name)
			if !sure {
				return "", nil
			}
			if found == nil {
				return missingLibrary(o, name), nil
			}
			queue = append(queue, found)
		}
	}
	return "", nil
}

func missingLibrary(o *object, name string) string {
	if o.parent == nil {
		return "its library " + name + " is missing"
	}
	return "its library " + name + ", needed by " + string(o.path) + ", is missing"
}

// builtin tells whether name is one of those that musl's loader contains.
func (l *loading) builtin(name string) bool {
	if !l.musl {
		return false
	}
	switch base, _, _ := strings.Cut(name, "."); base {
	case "libc", "libpthread", "librt", "libm", "libdl", "libutil", "libxnet":
		return true
	}
	return false
}

// find looks for a library that o needs. sure is false where a path has a
// variable that only the loader knows, or the walk is too long.
func (l *loading) find(o *object, name string) (found *object, sure bool) {
	if strings.Contains(name, "/") {
		return l.open(o, join("/", name)), true
	}
	dirs, sure := l.searchPath(o)
	for _, dir := range dirs {
		if l.places++; l.places > maxPlaces {
			return nil, false
		}
		if found := l.open(o, join(join("/", dir), name)); found != nil {
			return found, true
		}
	}
	return nil, sure
}

// open returns the library p, or nil where there is none for o's process.
func (l *loading) open(o *object, p InRoot) *object {
	f, err := OpenFile(l.d.root, p)
	if err != nil {
		return nil
	}
	defer f.Close()
	img, err := readImage(f)
	if err != nil || !img.same(l.program.image) {
		return nil
	}
	return &object{img, p, o}
}

// searchPath is where the loader looks for what o needs, in its order, see
// ld.so(8).
func (l *loading) searchPath(o *object) (dirs []string, sure bool) {
	sure = true
	add := func(list string, of *object) {
		more, known := expand(list, of)
		dirs, sure = append(dirs, more...), sure && known
	}
	if o.runpath == "" || l.musl {
		for by := o; by != nil; by = by.parent {
			if by.runpath == "" || l.musl {
				add(by.rpath, by)
			}
		}
	}
	add(l.d.ldLibraryPath, l.program)
	add(o.runpath, o)
	if l.musl {
		for by := o.parent; by != nil; by = by.parent {
			add(by.runpath, by)
		}
	}
	if l.dirs == nil {
		l.dirs = l.configured()
	}
	return append(dirs, l.dirs...), sure
}

// expand splits a list of directories, and puts o's own for $ORIGIN. known is
// false where there are other variables; those entries are left out.
func expand(list string, o *object) (dirs []string, known bool) {
	known = true
	origin := path.Dir(string(o.path))
	for _, dir := range strings.FieldsFunc(list, func(c rune) bool { return c == ':' || c == ';' }) {
		dir = strings.ReplaceAll(strings.ReplaceAll(dir, "${ORIGIN}", origin), "$ORIGIN", origin)
		if strings.Contains(dir, "$") {
			known = false
			continue
		}
		dirs = append(dirs, dir)
	}
	return dirs, known
}

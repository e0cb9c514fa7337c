package diff

import (
	"slices"

	"github.com/davit-containers/davit/bundle/internal/tree"
)

// Source is where a tree of files is. The zero value is an empty tree.
type Source struct {
	dirs  []string
	marks tree.Marks
}

// Directory is the tree in a directory, as it is.
func Directory(dir string) Source { return Source{dirs: []string{dir}} }

// Layers is the tree that unpacked layers in overlayfs' form show together, the
// nearest first. With userxattr, overlayfs' marks are in user.overlay.
// attributes, as in a user namespace.
func Layers(userxattr bool, nearestFirst ...string) Source {
	marks := tree.Trusted
	if userxattr {
		marks = tree.User
	}
	return Source{dirs: nearestFirst, marks: marks}
}

// on says whether a tree is another one with one layer on top: then only what
// that layer has can differ.
func (s Source) on(below Source) bool {
	return len(s.dirs) == len(below.dirs)+1 && slices.Equal(s.dirs[1:], below.dirs) &&
		s.marks != tree.NoMarks && (len(below.dirs) == 0 || s.marks == below.marks)
}

// open opens the tree. Its root is nil where it is empty.
func (s Source) open() (*tree.View, error) { return tree.OpenView(s.marks, s.dirs...) }

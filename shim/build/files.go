package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cyphar/filepath-securejoin/pathrs-lite"
	"github.com/moby/patternmatcher"
	"golang.org/x/sys/unix"
)

// files is a tree that steps take files of: the context, or what a stage or an
// image has. Nothing in it leads out of it.
type files struct {
	root   *os.File
	ignore *patternmatcher.PatternMatcher // nil: all is to be seen
	// owned files keep their owners and their extended attributes: they are a
	// container's. Those of a context are a person's, and become root's.
	owned bool
}

// errNotFound is a source that is not there.
var errNotFound = errors.New("not found")

// open takes hold of what a path names in the tree, links followed, and gives the
// path where it really is. What is ignored is not there.
func (f *files) open(name string) (*os.File, string, error) {
	handle, err := pathrs.OpenatInRoot(f.root, name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
			err = errNotFound
		}
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	real, err := f.realPath(handle)
	if err == nil && real != "." && f.ignored(real) {
		if info, statErr := handle.Stat(); statErr != nil || !info.IsDir() || !f.ignore.Exclusions() {
			err = fmt.Errorf("%s: %w [.dockerignore leaves it out]", name, errNotFound)
		}
	}
	if err != nil {
		return nil, "", errors.Join(err, handle.Close())
	}
	return handle, real, nil
}

// realPath is where in the tree a handle is, "." for the root.
func (f *files) realPath(handle *os.File) (string, error) {
	at, err := os.Readlink(procPath(handle))
	if err != nil {
		return "", err
	}
	root, err := os.Readlink(procPath(f.root))
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(root, at)
	if err == nil && (rel == ".." || strings.HasPrefix(rel, "../")) {
		err = fmt.Errorf("%s: it moved out of its tree", at)
	}
	return rel, err
}

// procPath is a path to what is held open.
func procPath(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }

// ignored tells whether a path is left out.
func (f *files) ignored(rel string) bool {
	if f.ignore == nil {
		return false
	}
	out, err := f.ignore.MatchesOrParentMatches(rel)
	return err == nil && out
}

// entry is one file below a source.
type entry struct {
	path string // below the source; "." is the source itself
	stat unix.Stat_t
	link string // the target of a symbolic link
}

func (e *entry) kind() uint32 { return e.stat.Mode & unix.S_IFMT }

// source is a file or a directory that is copied, with all that is below it.
type source struct {
	name    string // its last name
	pattern string // what it was named by
	rel     string // its path in the tree, as the pattern matched it
	handle  *os.File
	tree    *files
	entries []entry // the directories before what is in them, in the order of the names
}

func (s *source) isDir() bool { return s.entries[0].kind() == unix.S_IFDIR }

func (s *source) close() { s.handle.Close() }

// closeAll closes sources.
func closeAll(sources []*source) {
	for _, s := range sources {
		s.close()
	}
}

// maxEntries bounds how many files one instruction copies.
const maxEntries = 4 << 20

// read reads what is below a source. leave says what is left out.
func (f *files) read(name, rel string, leave *patternmatcher.PatternMatcher) (*source, error) {
	handle, real, err := f.open(rel)
	if err != nil {
		return nil, err
	}
	s := &source{name: name, rel: rel, handle: handle, tree: f}
	var stat unix.Stat_t
	if err := unix.Fstat(int(handle.Fd()), &stat); err != nil {
		return nil, errors.Join(err, handle.Close())
	}
	s.entries = []entry{{path: ".", stat: stat}}
	if s.isDir() {
		err = s.walk(".", real, leave)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", rel, err), handle.Close())
	}
	return s, nil
}

// walk adds what is in a directory. real is the directory's path in the tree.
func (s *source) walk(dir, real string, leave *patternmatcher.PatternMatcher) error {
	handle, err := beneath(s.handle, dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer handle.Close()
	names, err := handle.ReadDir(-1) // sorted below: the order is part of a digest
	if err != nil {
		return err
	}
	for _, name := range sorted(names) {
		if err := s.add(handle, path.Join(dir, name), path.Join(real, name), leave); err != nil {
			return err
		}
	}
	return nil
}

// add adds one name in a directory, and what is below it.
func (s *source) add(dir *os.File, rel, real string, leave *patternmatcher.PatternMatcher) error {
	e := entry{path: rel}
	name := path.Base(rel)
	if err := unix.Fstatat(int(dir.Fd()), name, &e.stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("%s: %w", rel, err)
	}
	isDir := e.kind() == unix.S_IFDIR
	ignored, left := s.tree.ignored(real), matches(leave, rel)
	if (ignored || left) && !(isDir && (ignored && s.tree.ignore.Exclusions() || left && leave.Exclusions())) {
		return nil
	}
	if e.kind() == unix.S_IFLNK {
		target, err := readLink(dir, name)
		if err != nil {
			return fmt.Errorf("%s: %w", rel, err)
		}
		e.link = target
	}
	if len(s.entries) >= maxEntries {
		return fmt.Errorf("there are more than %d files", maxEntries)
	}
	s.entries = append(s.entries, e)
	if !isDir {
		return nil
	}
	before := len(s.entries)
	if err := s.walk(rel, real, leave); err != nil {
		return err
	}
	if (ignored || left) && len(s.entries) == before { // nothing in it is wanted after all
		s.entries = s.entries[:before-1]
	}
	return nil
}

func matches(m *patternmatcher.PatternMatcher, rel string) bool {
	if m == nil {
		return false
	}
	ok, err := m.MatchesOrParentMatches(rel)
	return err == nil && ok
}

// beneath opens what is below a directory, by plain names alone.
//
// Linux 5.6: openat2(2).
func beneath(dir *os.File, rel string, flags uint64) (*os.File, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	if flags&unix.O_PATH != 0 {
		how.Flags = flags | unix.O_CLOEXEC | unix.O_NOFOLLOW
	}
	for {
		fd, err := unix.Openat2(int(dir.Fd()), rel, &how)
		if err == unix.EINTR || err == unix.EAGAIN { // met a rename
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: rel, Err: err}
		}
		return os.NewFile(uintptr(fd), rel), nil
	}
}

// readLink is a symbolic link's target.
func readLink(dir *os.File, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(dir.Fd()), name, buf)
	return string(buf[:max(n, 0)]), err
}

// regular opens a regular file of a source, which must still be the one that was
// read.
func (s *source) regular(e *entry) (*os.File, error) {
	var file *os.File
	var err error
	if e.path == "." {
		file, err = pathrs.Reopen(s.handle, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC)
	} else {
		file, err = beneath(s.handle, e.path, unix.O_RDONLY)
	}
	if err != nil {
		return nil, err
	}
	var now unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &now); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if now.Ino != e.stat.Ino || now.Dev != e.stat.Dev || now.Size != e.stat.Size || now.Mtim != e.stat.Mtim {
		return nil, errors.Join(fmt.Errorf("%s: it changed while it was read", path.Join(s.rel, e.path)), file.Close())
	}
	return file, nil
}

// sorted are the names of directory entries in the order of their bytes.
func sorted(list []os.DirEntry) []string {
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Name()
	}
	slices.Sort(names)
	return names
}

// Package residue looks at what a container may leave behind on a host:
// cgroups, mounts, files, sockets; and keys. A snapshot from before and one from
// after tell what was left.
//
// It is not for processes: those are best seen by a parent that adopts orphans.
package residue

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Where says where to look.
type Where struct {
	Token string   // what the names of the containers' cgroups have in them, and no other's
	Trees []string // folders whose files count
}

// Snapshot is what was found, one line each.
type Snapshot map[string]bool

// Take looks, from the namespaces of the calling thread.
func Take(w Where) (Snapshot, error) {
	s := Snapshot{}
	if err := s.cgroups(w.Token); err != nil {
		return nil, err
	}
	for _, tree := range w.Trees {
		if err := s.files(tree); err != nil {
			return nil, err
		}
	}
	if err := s.lines("mount", "/proc/thread-self/mountinfo"); err != nil {
		return nil, err
	}
	return s, s.lines("socket", "/proc/thread-self/net/unix")
}

// New is what s has and before does not, sorted.
func (s Snapshot) New(before Snapshot) []string {
	var found []string
	for _, line := range slices.Sorted(maps.Keys(s)) {
		if !before[line] {
			found = append(found, line)
		}
	}
	return found
}

// cgroups notes the cgroups of all hierarchies that have the token in their names.
func (s Snapshot) cgroups(token string) error {
	return filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err != nil && path != "/sys/fs/cgroup" {
			return nil // another's, which has just gone
		}
		if err == nil && d.IsDir() && strings.Contains(d.Name(), token) {
			s["cgroup "+path] = true
		}
		return err
	})
}

// files notes what there is below a folder.
func (s Snapshot) files(tree string) error {
	return filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			s["file "+path] = true
		}
		return err
	})
}

// lines notes every line of a file.
func (s Snapshot) lines(what, file string) error {
	text, err := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		s[what+" "+strings.TrimSpace(line)] = true
	}
	return err
}

// Keys is the number of keys and keyrings of a uid of the host. The kernel
// frees them some time after their last user is gone.
func Keys(uid int) (int, error) {
	text, err := os.ReadFile("/proc/key-users")
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line) // uid: users keys/instantiated ...
		if len(fields) > 2 && fields[0] == strconv.Itoa(uid)+":" {
			count, _, _ := strings.Cut(fields[2], "/")
			return strconv.Atoi(count)
		}
	}
	return 0, err
}

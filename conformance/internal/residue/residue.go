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

// Snapshot is what was found: a line for each thing, by what identifies it.
type Snapshot map[string]string

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
	if err := s.mounts(); err != nil {
		return nil, err
	}
	return s, s.sockets()
}

// New is what s has and before does not, sorted.
func (s Snapshot) New(before Snapshot) []string {
	var found []string
	for _, thing := range slices.Sorted(maps.Keys(s)) {
		if _, known := before[thing]; !known {
			found = append(found, s[thing])
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
			s.add("cgroup " + path)
		}
		return err
	})
}

// files notes what there is below a folder.
func (s Snapshot) files(tree string) error {
	return filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			s.add("file " + path)
		}
		return err
	})
}

// add notes what is identified by all that there is to say.
func (s Snapshot) add(line string) { s[line] = line }

// mounts notes the mounts by all but their place: that changes when anybody
// renames a folder above it.
func (s Snapshot) mounts() error {
	text, err := os.ReadFile("/proc/thread-self/mountinfo")
	for line := range strings.Lines(string(text)) {
		line = "mount " + strings.TrimSpace(line)
		fields := strings.Fields(line)
		s[strings.Join(slices.Concat(fields[:5], fields[6:]), " ")] = line
	}
	return err
}

// sockets notes the unix sockets of the network namespace.
func (s Snapshot) sockets() error {
	text, err := os.ReadFile("/proc/thread-self/net/unix")
	for line := range strings.Lines(string(text)) {
		s.add("socket " + strings.TrimSpace(line))
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

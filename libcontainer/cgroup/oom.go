package cgroup

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

// OOM returns how many processes of the container the kernel has killed for
// want of memory, and the cgroup whose limit they hit, as a path below the
// mount point: the container's own, one below it, or a parent; "/" if the
// machine itself ran out. With no kills, level is empty. A parent's own
// history counts: where several parents have been at their limit, it is the
// nearest. It must be called before Delete.
func (m *Manager) OOM() (kills uint64, level string, err error) {
	own := m.saved.Paths["memory"]
	reader := oomFiles{"memory.oom_control", "memory.failcnt", ""}
	if m.saved.Unified {
		own = m.saved.Paths[""]
		reader = oomFiles{"memory.events", "memory.events.local", "oom"}
	}
	if own == "" {
		return 0, "", nil
	}
	kills, err = reader.kills(own)
	if err != nil || kills == 0 {
		return 0, "", err
	}
	return kills, reader.level(own), nil
}

// oomFiles says where a cgroup version counts what happened to its memory.
type oomFiles struct {
	killed   string // file with "oom_kill N"
	limited  string // file with the times that the cgroup's own limit was hit
	limitKey string // key in it, or "" if it is one number
}

// kills counts the killed processes. v1 counts each cgroup for itself.
func (o oomFiles) kills(path string) (uint64, error) {
	text, err := readFile(filepath.Join(path, o.killed))
	if err != nil {
		if gone(err) {
			return 0, nil // no memory controller, or no cgroup any more
		}
		return 0, fmt.Errorf("reading %s of cgroup %s: %w", o.killed, relative(path), cause(err))
	}
	total, _ := strconv.ParseUint(lookup(text, "oom_kill"), 10, 64)
	if o.limitKey != "" {
		return total, nil
	}
	for _, below := range cgroupsBelow(path) {
		text, _ := readFile(filepath.Join(below, o.killed))
		n, _ := strconv.ParseUint(lookup(text, "oom_kill"), 10, 64)
		total += n
	}
	return total, nil
}

// level returns the cgroup whose limit was hit.
func (o oomFiles) level(own string) string {
	if o.hit(own) {
		return hierarchyPath(own)
	}
	for _, below := range cgroupsBelow(own) {
		if o.hit(below) {
			return hierarchyPath(below)
		}
	}
	for path := filepath.Dir(own); !isRoot(path) && len(path) > 1; path = filepath.Dir(path) {
		if o.hit(path) {
			return hierarchyPath(path)
		}
	}
	return "/"
}

// hit reports whether the cgroup at path has been at its own limit.
func (o oomFiles) hit(path string) bool {
	text, err := readFile(filepath.Join(path, o.limited))
	if err != nil {
		return false
	}
	count := strings.TrimSpace(text)
	if o.limitKey != "" {
		count = lookup(text, o.limitKey)
	}
	return count != "" && count != "0"
}

// cgroupsBelow returns the paths of all cgroups below path.
func cgroupsBelow(path string) []string {
	var list []string
	_ = filepath.WalkDir(path, func(p string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && p != path {
			list = append(list, p)
		}
		return nil
	})
	return list
}

// hierarchyPath returns the path below the root of the hierarchy, wherever that
// is mounted.
func hierarchyPath(path string) string {
	for root := path; len(root) > 1; root = filepath.Dir(root) {
		if isRoot(root) {
			return "/" + strings.TrimPrefix(path[len(root):], "/")
		}
	}
	return path
}

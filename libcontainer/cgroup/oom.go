package cgroup

import (
	"fmt"
	"io/fs"
	"os"
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
	reader := oomFiles{"memory.oom_control", hit1, false}
	if m.saved.Unified {
		own = m.saved.Paths[""]
		reader = oomFiles{"memory.events", hit2, true}
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
	killed string                 // file with "oom_kill N"
	hit    func(path string) bool // whether the cgroup at path has been at a limit of its own
	below  bool                   // the file counts those of the cgroups below, too
}

// kills counts the killed processes, in the cgroup and below.
func (o oomFiles) kills(path string) (uint64, error) {
	text, err := readFile(filepath.Join(path, o.killed))
	if err != nil {
		if gone(err) {
			return 0, nil // no memory controller, or no cgroup any more
		}
		return 0, fmt.Errorf("reading %s of cgroup %s: %w", o.killed, relative(path), cause(err))
	}
	total, _ := strconv.ParseUint(lookup(text, "oom_kill"), 10, 64)
	if o.below {
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

// hit2 reads how often memory ran out at the cgroup's own limit.
func hit2(path string) bool {
	text, err := readFile(filepath.Join(path, "memory.events.local"))
	count := lookup(text, "oom")
	return err == nil && count != "" && count != "0"
}

// hit1 reads how often the limit of memory was met, or how near usage came to that
// of memory and swap together: where both limits are one, it is the one that is met,
// and newer kernels count no times of it.
func hit1(path string) bool {
	if count, ok := readNumber(path, "memory.failcnt"); ok && count > 0 {
		return true
	}
	limit, limited := readNumber(path, "memory.memsw.limit_in_bytes")
	usage, used := readNumber(path, "memory.memsw.max_usage_in_bytes")
	// For want of more pages in a row than these, the kernel kills nobody.
	largest := uint64(8 * os.Getpagesize())
	return limited && used && usage+largest > limit
}

// readNumber reads a file of a cgroup that is one number; ok is false where there is
// none, as on a v1 kernel that does not account swap.
func readNumber(path, file string) (n uint64, ok bool) {
	text, err := readFile(filepath.Join(path, file))
	if err != nil {
		return 0, false
	}
	n, err = strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	return n, err == nil
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

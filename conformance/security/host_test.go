package security

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// host is what a container could leave behind on it.
type host struct {
	mounts    []string
	cgroups   []string
	processes []string
	states    []string
}

// look looks at the host.
func (b *bundle) look() host {
	b.Helper()
	var h host
	for _, m := range b.mountsOf("thread-self") {
		h.mounts = append(h.mounts, fmt.Sprintf("%s %s %s on %s", m.fstype, m.source, m.root, m.point))
	}
	slices.Sort(h.mounts)
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		found, _ := filepath.Glob(pattern + "*" + b.id + "*")
		h.cgroups = append(h.cgroups, found...)
	}
	pids, _ := filepath.Glob("/proc/[0-9]*")
	for _, pid := range pids {
		if data, err := os.ReadFile(pid + "/cgroup"); err == nil && strings.Contains(string(data), "/"+b.id+"\n") {
			h.processes = append(h.processes, pid)
		}
	}
	entries, _ := os.ReadDir(b.state())
	for _, e := range entries {
		if strings.Contains(e.Name(), b.id) {
			h.states = append(h.states, e.Name())
		}
	}
	return h
}

// compare reports what is not as before.
func (h host) compare(t *testing.T, before host) {
	t.Helper()
	for _, list := range []struct {
		what     string
		now, was []string
	}{
		{"mounts", h.mounts, before.mounts}, {"cgroups", h.cgroups, before.cgroups},
		{"processes", h.processes, before.processes}, {"state", h.states, before.states},
	} {
		if !slices.Equal(list.now, list.was) {
			t.Errorf("left on the host: %s\n%s\nwere\n%s", list.what, strings.Join(list.now, "\n"), strings.Join(list.was, "\n"))
		}
	}
}

// mount is a line of a mountinfo file.
type mount struct{ id, parent, root, point, options, fstype, source string }

// mountsOf are the mounts that a process sees.
func (b *bundle) mountsOf(pid string) []mount {
	b.Helper()
	data, err := os.ReadFile("/proc/" + pid + "/mountinfo")
	b.must(err)
	return parseMounts(string(data))
}

func parseMounts(text string) []mount {
	var list []mount
	for line := range strings.SplitSeq(text, "\n") {
		left, right, found := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if found && len(l) >= 6 && len(r) >= 2 {
			list = append(list, mount{l[0], l[1], l[3], l[4], l[5], r[0], r[1]})
		}
	}
	return list
}

// inContainer opens a file as a process in the container finds it.
func inContainer(pid int, path string, flags uint64) (*os.File, error) {
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	fd, err := unix.Openat2(root, path, &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

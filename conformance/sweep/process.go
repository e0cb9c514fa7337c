package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// threadGroup is the process to which a thread belongs; 0 where it is gone.
func threadGroup(tid int) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	_, rest, _ := strings.Cut(string(status), "\nTgid:")
	line, _, _ := strings.Cut(rest, "\n")
	tgid, _ := strconv.Atoi(strings.TrimSpace(line))
	return tgid
}

// processName is the name that a process gives itself.
func processName(pid int) string {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(name))
}

// descendants are the processes below this one, dead ones not included.
func descendants() []int { return below(os.Getpid()) }

// below are the live processes below one.
func below(pid int) []int {
	var found []int
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, thread := range threads {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, thread.Name()))
		for field := range strings.FieldsSeq(string(children)) {
			child, _ := strconv.Atoi(field)
			if alive(child) {
				found = append(found, child)
			}
			found = append(found, below(child)...)
		}
	}
	return found
}

// alive tells whether a process executes something: a zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// executes tells whether a process executes one of those very files.
func executes(pid int, programs ...unix.Stat_t) bool {
	var st unix.Stat_t
	err := unix.Stat(fmt.Sprintf("/proc/%d/exe", pid), &st)
	return err == nil && slices.ContainsFunc(programs, func(p unix.Stat_t) bool { return st.Dev == p.Dev && st.Ino == p.Ino })
}

// dying tells whether a process has given up its program already, and is about
// to end; it need not be dead.
func dying(pid int) bool {
	_, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return errors.Is(err, fs.ErrNotExist)
}

// killDescendants kills all processes below this one and names them.
func killDescendants() []string {
	var names []string
	for _, pid := range descendants() {
		cgroup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		lines := strings.Split(strings.TrimSpace(string(cgroup)), "\n")
		stack, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
		names = append(names, fmt.Sprintf("%d (%s, in %s, cgroup %s)", pid, processName(pid), stack, lines[0]))
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	return names
}

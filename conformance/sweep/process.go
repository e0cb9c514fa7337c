package main

import (
	"fmt"
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

// executes tells whether a process executes one of those very files.
func executes(pid int, programs ...unix.Stat_t) bool {
	var st unix.Stat_t
	err := unix.Stat(fmt.Sprintf("/proc/%d/exe", pid), &st)
	return err == nil && slices.ContainsFunc(programs, func(p unix.Stat_t) bool { return st.Dev == p.Dev && st.Ino == p.Ino })
}

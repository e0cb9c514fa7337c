// Package offspring looks after the processes that a judged runtime starts and
// leaves: they become children of this program, so that none can hide, and
// nothing has to wait for PID 1 to reap them.
//
// It is not for processes that this program did not cause: whoever uses it
// waits for all its children.
package offspring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Adopt makes this process the parent of orphans among its descendants.
func Adopt() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("becoming a child subreaper: %w", err)
	}
	return nil
}

// Wait waits for one child or, for -1, any, threads that are traced included.
func Wait(pid int, status *syscall.WaitStatus) (int, error) {
	for {
		got, err := syscall.Wait4(pid, status, syscall.WALL, nil)
		if !errors.Is(err, syscall.EINTR) {
			return got, err
		}
	}
}

// LetGo releases a process that is still traced: one whose creator was killed
// before the tracer heard of it.
func LetGo(pid int, status syscall.WaitStatus) {
	if status.Stopped() {
		_ = syscall.PtraceDetach(pid)
	}
}

// Reap takes the children that have ended.
func Reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG|syscall.WALL, nil)
		if err != nil && !errors.Is(err, syscall.EINTR) || pid == 0 {
			return
		}
		LetGo(pid, status)
	}
}

// AwaitEnd waits until no child is left. What does not end by itself in time is
// named in the error, and killed.
func AwaitEnd(grace time.Duration) error {
	left := make(chan []string, 1)
	late := time.AfterFunc(grace, func() { left <- KillAll() })
	for {
		var status syscall.WaitStatus
		pid, err := Wait(-1, &status)
		if err != nil {
			break
		}
		LetGo(pid, status)
	}
	if late.Stop() {
		return nil
	}
	return fmt.Errorf("processes are left after %v: %s", grace, strings.Join(<-left, ", "))
}

// All are the live processes below this one.
func All() []int { return below(os.Getpid()) }

// below are the live processes below one.
func below(pid int) []int {
	var found []int
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, thread := range threads {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, thread.Name()))
		for field := range strings.FieldsSeq(string(children)) {
			child, _ := strconv.Atoi(field)
			if Alive(child) {
				found = append(found, child)
			}
			found = append(found, below(child)...)
		}
	}
	return found
}

// KillAll kills all processes below this one and describes them.
func KillAll() []string {
	var killed []string
	for _, pid := range All() {
		cgroup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		line, _, _ := strings.Cut(string(cgroup), "\n")
		waits, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
		killed = append(killed, fmt.Sprintf("%d (%s, in %s, cgroup %s)", pid, Name(pid), waits, line))
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	return killed
}

// Name is the name that a process gives itself.
func Name(pid int) string {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(name))
}

// Alive tells whether a process executes something: a zombie does not.
func Alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// Dying tells whether a process has given up its program already, and is about
// to end; it need not be dead.
func Dying(pid int) bool {
	_, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return errors.Is(err, fs.ErrNotExist)
}

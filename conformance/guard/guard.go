// Package guard runs a package's tests below a process that outlives them, also
// where they are killed or run out of time, and then removes what they left: their
// processes, cgroups, mounts and temporary files.
//
// It is not what cleans up after a test that ends: a process that is left then, and
// does not end by itself, fails the tests.
package guard

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/internal/offspring"
)

const (
	role = "DAVIT_TEST_GUARD" // what this process is: nothing, the guard, or the tests
	name = "DAVIT_TEST_NAME"
)

const (
	asGuard = "guard"
	asTests = "tests"
)

// Name is how everything has to begin that the tests make outside of temporary
// directories and that outlives processes: cgroups, and files in memory.
func Name() string {
	if own := os.Getenv(name); own != "" {
		return own
	}
	return nameOf(os.Getpid())
}

// nameOf has no beginning of another process's name.
func nameOf(pid int) string { return fmt.Sprintf("davit-%d-", pid) }

// Run is for a package's TestMain: it runs the tests, m.Run, in a process of their
// own, and gives the program's exit status.
func Run(tests func() int) int { return In(0, tests) }

// In is Run in new namespaces, by their flags of clone(2).
func In(namespaces uintptr, tests func() int) int {
	switch os.Getenv(role) {
	case asTests:
		return tests()
	case asGuard:
		return status(guard(namespaces))
	}
	return status(begin())
}

func status(status int, err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "guarding the tests:", err)
		return max(1, status)
	}
	return status
}

// again is this program in another role.
func again(as string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), role+"="+as)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

// callerFD is the guard's pipe that ends with its caller.
const callerFD = 3

// begin starts the guard, in a session of its own, and waits for it.
func begin() (int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer w.Close()
	cmd := again(asGuard)
	cmd.ExtraFiles = []*os.File{r}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(1, exit.ExitCode()), nil
	}
	return 0, err
}

// grace is how long what tests left may take to end by itself.
const grace = 20 * time.Second

// guard runs the tests, and removes what they left.
func guard(namespaces uintptr) (int, error) {
	if err := offspring.Adopt(); err != nil {
		return 0, err
	}
	l := &leavings{name: nameOf(os.Getpid()), cgroups: map[string]bool{}}
	if err := l.makeTemporary(); err != nil {
		return 0, err
	}
	unix.CloseOnExec(callerFD)
	runtime.LockOSThread() // the tests end with the thread that starts them
	cmd := again(asTests)
	cmd.Env = append(cmd.Env, name+"="+l.name, "TMPDIR="+l.temporary)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: namespaces, Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 0, errors.Join(err, l.remove())
	}
	go killAfter(os.NewFile(callerFD, "caller"), cmd.Process.Pid)
	ended := await(cmd.Process.Pid)
	err := l.end(ended)
	return code(ended), errors.Join(err, l.remove())
}

// killAfter kills the tests when their caller is gone.
func killAfter(caller *os.File, pid int) {
	_, _ = io.Copy(io.Discard, caller)
	_ = unix.Kill(pid, unix.SIGKILL)
}

// await takes orphans until a child ends.
func await(child int) syscall.WaitStatus {
	for {
		var status syscall.WaitStatus
		pid, err := offspring.Wait(-1, &status)
		if err != nil || pid == child && !status.Stopped() {
			return status
		}
	}
}

// completed tells whether the tests ran to their end: Go's exit status is 2 for a
// panic, which a time-out is too.
func completed(status syscall.WaitStatus) bool { return status.Exited() && status.ExitStatus() < 2 }

func code(status syscall.WaitStatus) int {
	if status.Signaled() {
		fmt.Fprintln(os.Stderr, "the tests were killed:", status.Signal())
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// end ends what runs still. Of tests that ran to their end it is a fault.
func (l *leavings) end(status syscall.WaitStatus) error {
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			if _, err := offspring.Wait(-1, new(syscall.WaitStatus)); err != nil {
				return
			}
		}
	}()
	patience := time.Duration(0)
	if completed(status) {
		patience = grace
	}
	select {
	case <-over:
		return nil
	case <-time.After(patience):
	}
	left := l.kill()
	for tick := time.Tick(20 * time.Millisecond); ; l.kill() {
		select {
		case <-over:
			if completed(status) {
				return fmt.Errorf("processes are left after %v: %s", grace, left)
			}
			return nil
		case <-tick:
		}
	}
}

// kill kills all processes below this one, and notes where they are.
func (l *leavings) kill() []string {
	for _, pid := range offspring.All() {
		text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
		l.note(string(text))
	}
	l.thaw()
	return offspring.KillAll()
}

package scenarios

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/programs"
)

var (
	judged = flag.String("runtime", "", "judge this `program`; by default davit is built from this tree")
	limit  = flag.Duration("limit", 4*time.Minute, "how long a scenario may take on a busy machine")
	update = flag.Bool("update", false, "write what the runtimes of Debian say as what is expected")
)

// The processes that lead to the tests: the one that is called makes namespaces
// and looks after them, the first process in these takes the orphans in, and the
// tests are its child.
const (
	asInit  = "-as-init"
	asTests = "-as-tests"
)

// TestMain runs the tests where all that engines leave ends with them: in a pid, a
// network and a mount namespace of their own.
func TestMain(m *testing.M) {
	if os.Geteuid() != 0 {
		os.Exit(m.Run()) // every test says that it needs root
	}
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	switch role {
	case asTests:
		os.Args = slices.Insert(slices.Delete(os.Args, 1, 2), 1, "-test.parallel=4") // much of a scenario is waiting
		os.Setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")                           // Debian's programs, whatever else there is
		os.Exit(m.Run())
	case asInit:
		os.Exit(reportingStatus(beInit()))
	}
	flag.Parse()
	os.Exit(guard.Run(func() int { return reportingStatus(enclose()) }))
}

// reportingStatus is the exit status of a process that only leads to the tests.
func reportingStatus(status int, err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

// enclose runs the tests in namespaces of their own, gives their status, and fails
// if they left cgroups, which no namespace ends.
func enclose() (status int, err error) {
	dir := filepath.Join("/tmp", guard.Name()+"e") // podman takes no long path
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	runtime, err := program(dir)
	if err != nil {
		return 0, err
	}
	os.Setenv("DAVIT_ENGINES_DIR", dir)
	os.Setenv("DAVIT_ENGINES_RUNTIME", runtime)
	status, err = runSelf(asInit, os.Args[1:], &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
		Pdeathsig:  unix.SIGKILL,
	})
	if left := removeCgroups("/" + filepath.Base(dir)); len(left) > 0 && err == nil {
		err = fmt.Errorf("cgroups were left, and are removed: %q", left)
	}
	return status, err
}

// program is the runtime to judge.
func program(dir string) (string, error) {
	if *judged != "" {
		return exec.LookPath(*judged)
	}
	return programs.Build(dir, "davit", "runtime")
}

// runSelf runs this program in another role, and gives its status.
func runSelf(role string, args []string, attr *syscall.SysProcAttr) (int, error) {
	cmd := exec.Command("/proc/self/exe", append([]string{role}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = attr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return max(cmd.ProcessState.ExitCode(), -1), nil
}

// beInit is the first process of the pid namespace: it prepares the machine that
// the engines see, starts the tests, and reaps until they end. With it ends
// every process that they left.
func beInit() (int, error) {
	if err := prepareMachine(os.Getenv("DAVIT_ENGINES_DIR")); err != nil {
		return 0, err
	}
	tests, err := os.StartProcess("/proc/self/exe", append([]string{os.Args[0], asTests}, os.Args[2:]...),
		&os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return 0, err
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return 0, fmt.Errorf("waiting for the tests: %w", err)
		}
		if pid == tests.Pid {
			return status.ExitStatus(), nil
		}
	}
}

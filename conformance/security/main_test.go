package security

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/programs"
)

var (
	judged = flag.String("runtime", "", "judge this `program`; by default davit is built from this tree")
	rounds = flag.Int("rounds", 8, "containers made in each race")
)

// inside marks the process that runs the tests in a mount namespace of its own.
const inside = "-in-own-mounts"

// TestMain runs an attack where it is asked for one: attackers are processes
// of this program. Tests run in a mount namespace that is theirs alone and
// shared with whatever is cloned from it: a mount that a runtime lets out to
// its host is seen, and is nobody else's.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if attack, found := attacks[os.Args[1]]; found {
			fmt.Println(attack(os.Args[2:]))
			return
		}
	}
	if os.Geteuid() != 0 {
		os.Exit(m.Run()) // every test says that it needs root
	}
	if len(os.Args) < 2 || os.Args[1] != inside {
		os.Exit(guard.Run(again))
	}
	os.Args = append(os.Args[:1], os.Args[2:]...)
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		fmt.Fprintln(os.Stderr, "sharing the mounts:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// again runs this program in a mount namespace that is private, and gives its status.
func again() int {
	dir, err := os.MkdirTemp("", "davit-judged-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755) // for users who are not root
	cmd := exec.Command("/proc/self/exe", append([]string{inside}, os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), "DAVIT_JUDGED="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

// program is the runtime to judge.
var program = sync.OnceValues(func() (string, error) {
	if *judged != "" {
		return exec.LookPath(*judged)
	}
	return programs.Build(os.Getenv("DAVIT_JUDGED"), "davit", "runtime")
})

// onOwnThread calls f on a thread that ends with it, so that f may change
// what belongs to a thread: its namespaces, its limits, whom it traces.
func onOwnThread(f func()) {
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(done)
		f()
	}()
	<-done
}

package compile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/seccomp"
)

// childEnv makes the test binary a child that loads a filter.
const childEnv = "SECCOMP_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "load":
		loadOnly()
	default:
		child()
	}
}

// order is what a child does: load the filter on one thread, make the calls on
// it, and then execute a program, if any.
type order struct {
	Filter seccomp.Filter
	Calls  [][7]uint64
	Exec   []string
}

// result is what one call gave.
type result struct {
	Value uint64
	Errno syscall.Errno
}

// child follows the order on stdin. The runtime's other threads are without
// filter, and answer.
func child() {
	var o order
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		fail(err)
	}
	results := make([]result, len(o.Calls))
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := loadFilter(o.Filter); err != nil {
			done <- err
			select {}
		}
		for i, c := range o.Calls {
			value, _, errno := syscall.RawSyscall6(uintptr(c[0]), uintptr(c[1]), uintptr(c[2]),
				uintptr(c[3]), uintptr(c[4]), uintptr(c[5]), uintptr(c[6]))
			results[i] = result{uint64(value), errno}
		}
		if len(o.Exec) > 0 {
			done <- unix.Exec(o.Exec[0], o.Exec, nil)
		}
		done <- nil
		select {}
	}()
	if err := <-done; err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		fail(err)
	}
	os.Exit(0)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(99)
}

// loadFilter gives the calling thread the filter, as the stage will.
func loadFilter(f seccomp.Filter) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("setting no_new_privs: %w", err)
	}
	program := unix.SockFprog{
		Len:    uint16(len(f.Program) / seccomp.InstructionSize),
		Filter: (*unix.SockFilter)(unsafe.Pointer(unsafe.SliceData(f.Program))),
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(f.Flags), uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("loading the filter: %w", errno)
	}
	return nil
}

// runChild has a child follow an order.
func runChild(t *testing.T, o order) ([]result, string, error) {
	t.Helper()
	in, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"=order")
	cmd.Stdin = bytes.NewReader(in)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var results []result
	if err == nil && len(o.Exec) == 0 {
		if err := json.Unmarshal(stdout.Bytes(), &results); err != nil {
			t.Fatalf("%v in %q", err, stdout.String())
		}
	}
	return results, stdout.String() + stderr.String(), err
}

// readProfile reads a profile of the parent's testdata.
func readProfile(t testing.TB, name string) *specs.LinuxSeccomp {
	t.Helper()
	data, err := os.ReadFile("../testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	p := new(specs.LinuxSeccomp)
	if err := json.Unmarshal(data, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// mustLoad loads without a cache, or skips where this binary has no compiler.
func mustLoad(t testing.TB, p *specs.LinuxSeccomp) seccomp.Filter {
	t.Helper()
	needCompiler(t)
	filter, err := Load(p, "")
	if err != nil {
		t.Fatal(err)
	}
	return filter
}

// needCompiler skips a test of a binary that has neither cgo nor the program.
func needCompiler(t testing.TB) {
	t.Helper()
	if _, err := Version(); err != nil {
		t.Skipf("no seccomp compiler: %v", err)
	}
}

// loadOnly is a child that races for the cache: it loads the profile on stdin
// through the cache that its argument names.
func loadOnly() {
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err)
	}
	p := new(specs.LinuxSeccomp)
	if err := json.Unmarshal(data, p); err != nil {
		fail(err)
	}
	for range 20 {
		filter, err := Load(p, os.Args[1])
		if err != nil || filter.Empty() {
			fail(fmt.Errorf("got %d bytes, %v", len(filter.Program), err))
		}
	}
	os.Exit(0)
}

// killedBy gives the signal that ended a child, 0 for none.
func killedBy(err error) syscall.Signal {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return 0
	}
	return exit.Sys().(syscall.WaitStatus).Signal()
}

// oneLine says whether an error is one line.
func oneLine(err error) bool { return !strings.Contains(err.Error(), "\n") }

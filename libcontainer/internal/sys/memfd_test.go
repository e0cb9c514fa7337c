package sys

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

func TestSealedMemfd(t *testing.T) {
	f, err := SealedMemfd("data", []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !Sealed(f) {
		t.Error("not sealed")
	}
	checkCloexec(t, f)
	if data, err := io.ReadAll(f); string(data) != "content" || err != nil {
		t.Errorf("got %q, %v", data, err)
	}
	for name, change := range map[string]func() error{
		"write":   func() error { _, err := f.WriteAt([]byte("x"), 0); return err },
		"grow":    func() error { return f.Truncate(100) },
		"shrink":  func() error { return f.Truncate(1) },
		"another": func() error { _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_FUTURE_WRITE); return err },
	} {
		if err := change(); !errors.Is(err, unix.EPERM) {
			t.Errorf("%s: got %v, want EPERM", name, err)
		}
	}
	if err := exec.Command(procPath(f)).Run(); err == nil {
		t.Error("a memfd of data can be executed")
	}
}

// procPath names f for another process: its own /proc/self is not ours.
func procPath(f *os.File) string {
	return "/proc/" + strconv.Itoa(os.Getpid()) + "/fd/" + strconv.Itoa(int(f.Fd()))
}

func TestSealedProgram(t *testing.T) {
	program, err := os.ReadFile(needs.Program(t, "true"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := SealedProgram("true", program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := exec.Command(procPath(f)).Run(); err != nil {
		t.Error(err)
	}
}

func TestUnnamedProgram(t *testing.T) {
	program, err := os.ReadFile(needs.Program(t, "true"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := unnamedProgram(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if Sealed(f) {
		t.Error("a file of a file system passes for sealed")
	}
	if err := exec.Command(procPath(f)).Run(); err != nil {
		t.Error(err)
	}
	if _, err := f.Write([]byte("x")); err == nil {
		t.Error("open for writing")
	}
}

func TestForbiddenMemfdProgram(t *testing.T) {
	const knob = "/proc/sys/vm/memfd_noexec"
	needs.Root(t, "it makes a pid namespace")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("MEMFD_FORBIDDEN") == "" {
		// The knob is one of the pid namespace: a child in a new one turns it.
		cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", self, "-test.run=^TestForbiddenMemfdProgram$", "-test.v")
		cmd.Env = append(os.Environ(), "MEMFD_FORBIDDEN=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	needs.Kernel(t, needs.MemfdNoExec, os.WriteFile(knob, []byte("2"), 0))
	program, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	f, err := SealedProgram("true", program)
	if err != nil {
		t.Fatal(err)
	}
	if Sealed(f) {
		t.Error("the machine still allows programs in memory")
	}
	if err := exec.Command(procPath(f)).Run(); err != nil {
		t.Error(err)
	}
	if _, err := SealedMemfd("data", nil); err != nil {
		t.Error("a memfd of data:", err)
	}
}

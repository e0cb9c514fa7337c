package sys

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

const descriptorsHelper = "DAVIT_TEST_DESCRIPTORS"

// A program gets no descriptor of our caller, whether close_range(2) works or
// a container host's filter refuses it.
func TestKeepDescriptors(t *testing.T) {
	if errno := os.Getenv(descriptorsHelper); errno != "" {
		helpDescriptors(t, errno)
		return
	}
	for _, errno := range []unix.Errno{0, unix.ENOSYS, unix.EPERM} {
		name := "works"
		if errno != 0 {
			name = unix.ErrnoName(errno)
		}
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestKeepDescriptors$", "-test.v")
			cmd.Env = append(os.Environ(), descriptorsHelper+"="+strconv.Itoa(int(errno)))
			cmd.ExtraFiles = []*os.File{openFile(t, "/etc/group"), openFile(t, "/etc/passwd")}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func openFile(t *testing.T, path string) *os.File {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// helpDescriptors starts a program that is to have 3, and not 4.
func helpDescriptors(t *testing.T, errno string) {
	given := os.NewFile(3, "given")
	defer given.Close()
	if n, _ := strconv.Atoi(errno); n != 0 {
		refuse(t, unix.SYS_CLOSE_RANGE, unix.Errno(n))
	}
	if got := descriptorsOf(t, given); !strings.Contains(got, "/etc/passwd") {
		t.Fatalf("nothing was inherited to begin with: %s", got)
	}
	if err := KeepDescriptors(); err != nil {
		t.Fatal(err)
	}
	if got := descriptorsOf(t, given); strings.Contains(got, "/etc/passwd") || !strings.Contains(got, "/etc/group") {
		t.Errorf("the program has %s", got)
	}
}

// descriptorsOf are the files that a program has open to which one is given.
func descriptorsOf(t *testing.T, given *os.File) string {
	cmd := exec.Command("/bin/sh", "-c", "readlink /proc/self/fd/*")
	cmd.ExtraFiles = []*os.File{given}
	out, err := cmd.Output()
	if len(out) == 0 {
		t.Fatal(err)
	}
	return string(out)
}

// refuse has a filter answer a system call with errno from now on.
func refuse(t *testing.T, call uint32, errno unix.Errno) {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // struct seccomp_data's nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		t.Fatalf("installing the filter: %v", e)
	}
	if err := unix.CloseRange(1<<20, 1<<20, 0); err != errno {
		t.Fatalf("close_range(2) gives %v, want %v", err, errno)
	}
}

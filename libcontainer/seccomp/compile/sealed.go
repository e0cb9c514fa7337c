//go:build !cgo

package compile

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// sealedProgram copies a program into a file of memory that nobody can change
// any more and that can be executed through its descriptor.
func sealedProgram(source io.Reader) (*os.File, error) {
	fd, err := memfdExec()
	if err == unix.EACCES {
		return unlinkedProgram(source)
	}
	if err != nil {
		return nil, fmt.Errorf("creating a memory file for the seccomp compiler: %w", err)
	}
	file := os.NewFile(uintptr(fd), "seccomp-compiler")
	if _, err = io.Copy(file, source); err == nil {
		const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
		_, err = unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, seals)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("copying the seccomp compiler to memory: %w", err)
	}
	return file, nil
}

// memfdExec creates an executable file of memory.
// Linux 6.3: MFD_EXEC; before, every memory file is executable.
func memfdExec() (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("seccomp-compiler", flags|unix.MFD_EXEC)
	if err == unix.EINVAL {
		return unix.MemfdCreate("seccomp-compiler", flags)
	}
	return fd, err
}

// unlinkedProgram is for hosts that forbid executable files of memory
// (vm.memfd_noexec=2): a file without a name, reopened for reading only,
// because a file that is open for writing cannot be executed.
func unlinkedProgram(source io.Reader) (*os.File, error) {
	fd, err := unix.Open(os.TempDir(), unix.O_TMPFILE|unix.O_RDWR|unix.O_EXCL|unix.O_CLOEXEC, 0o500)
	if err != nil {
		return nil, fmt.Errorf("creating a file for the seccomp compiler: %w", err)
	}
	writable := os.NewFile(uintptr(fd), "seccomp-compiler")
	defer writable.Close()
	if _, err := io.Copy(writable, source); err != nil {
		return nil, fmt.Errorf("copying the seccomp compiler: %w", err)
	}
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
}

// Package memprogram has a program that is a part of this one in a file that can be
// executed: in memory, sealed, where the machine allows it.
//
// It is not for programs that have to outlive the descriptor under a name.
package memprogram

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Open has the program in a file that nobody can change. Where the machine
// forbids programs in memory it is a file without a name.
// Linux 6.3: MFD_EXEC; before, every memfd is executable.
func Open(name string, program []byte) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err == unix.EACCES {
		return unnamed(name, program)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(program); err != nil {
		f.Close()
		return nil, err
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, os.NewSyscallError("fcntl", err)
	}
	return f, nil
}

// unnamed writes the program to a file without a name, and opens it again for
// reading alone, as what is open for writing cannot be executed.
func unnamed(name string, program []byte) (*os.File, error) {
	fd, err := unix.Open(dir(), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o700)
	if err != nil {
		return nil, os.NewSyscallError("open", err)
	}
	w := os.NewFile(uintptr(fd), name)
	defer w.Close()
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	return os.Open("/proc/self/fd/" + strconv.Itoa(fd))
}

// dir is where the file is: /run, or a directory that users may write to.
func dir() string {
	if unix.Access("/run", unix.W_OK) == nil {
		return "/run"
	}
	return os.TempDir()
}

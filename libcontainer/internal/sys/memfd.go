package sys

import (
	"errors"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// everySeal is what makes a memfd's content, size and seals final.
const everySeal = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// SealedMemfd returns a file in memory that holds data and that nobody can
// change, not even through another descriptor. It cannot be executed. Its
// offset is 0.
func SealedMemfd(name string, data []byte) (*os.File, error) {
	return sealed(name, data, unix.MFD_NOEXEC_SEAL)
}

// SealedProgram is [SealedMemfd] for a program to execute. Where the machine
// forbids programs in memory (vm.memfd_noexec=2), it is a private file without
// a name instead, of which [Sealed] says false: a process that runs it could
// change it, so it is for one container only.
func SealedProgram(name string, data []byte) (*os.File, error) {
	f, err := sealed(name, data, unix.MFD_EXEC)
	if errors.Is(err, unix.EACCES) {
		return unnamedProgram(data)
	}
	return f, err
}

// Memfd returns a file in memory that is empty, and not to be executed.
func Memfd(name string) (*os.File, error) { return memfd(name, unix.MFD_NOEXEC_SEAL) }

// Sealed tells whether f is a memfd whose content is final.
func Sealed(f *os.File) bool {
	seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	runtime.KeepAlive(f)
	return err == nil && seals&everySeal == everySeal
}

func sealed(name string, data []byte, mode int) (*os.File, error) {
	f, err := memfd(name, mode)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteAt(data, 0); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, everySeal); err != nil {
		f.Close()
		return nil, os.NewSyscallError("fcntl F_ADD_SEALS", err)
	}
	return f, nil
}

// memfd makes an empty memfd.
//
// Linux 6.3: MFD_EXEC and MFD_NOEXEC_SEAL; before, every memfd is executable.
func memfd(name string, mode int) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|mode)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "memfd:"+name), nil
}

// unnamedProgram writes data to a file without a name, and returns it open for
// reading only: a file that someone has open for writing cannot be executed.
func unnamedProgram(data []byte) (*os.File, error) {
	w, err := unnamedFile()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	return os.Open("/proc/self/fd/" + strconv.Itoa(int(w.Fd())))
}

// unnamedFile opens a file without a name in the first directory that takes
// one and allows execution.
func unnamedFile() (*os.File, error) {
	for _, dir := range []string{"/run", "/dev/shm", "/tmp", "/var/tmp", "/"} {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) != nil || st.Flags&unix.ST_NOEXEC != 0 {
			continue
		}
		fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC, 0o500)
		if err == nil {
			return os.NewFile(uintptr(fd), dir+"/(unnamed)"), nil
		}
	}
	return nil, &UnsupportedError{Feature: "executing a program in memory", Since: "vm.memfd_noexec below 2, or a directory for temporary files without noexec"}
}

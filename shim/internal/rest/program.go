package rest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// mapsSize is more than the description of this process's mappings has, in bytes.
const mapsSize = 1 << 20

// dropProgram unmaps the pages of the program's own file that nothing has changed:
// they come back from the file when they are used.
func dropProgram() error {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	// No heap is used for this, as there was just an effort to have little.
	buf, err := unix.Mmap(-1, 0, mapsSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	defer unix.Munmap(buf)
	n, err := readAll("/proc/self/smaps", buf)
	if err != nil {
		return err
	}
	return dropUnchanged(buf[:n], []byte(self))
}

// readAll reads a file of /proc into a buffer that has room for it.
func readAll(path string, buf []byte) (n int, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	for n < len(buf) {
		got, err := unix.Read(fd, buf[n:])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, &os.PathError{Op: "read", Path: path, Err: err}
		case got == 0:
			return n, nil
		default:
			n += got
		}
	}
	return n, nil
}

// dropUnchanged drops the mappings of a file that cannot be written to and have no
// page of their own, as a debugger's breakpoint makes one.
func dropUnchanged(smaps, file []byte) error {
	var begin, end uintptr
	ours := false
	for len(smaps) > 0 {
		line, rest, _ := bytes.Cut(smaps, []byte("\n"))
		smaps = rest
		if first, last, mode, ok := mapping(line); ok {
			begin, end, ours = first, last, mode[1] != 'w' && bytes.HasSuffix(line, file)
			continue
		}
		amount, found := bytes.CutPrefix(line, []byte("Anonymous:"))
		if !ours || !found || string(bytes.TrimSpace(amount)) != "0 kB" {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, begin, end-begin, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("giving memory back: %w", errno)
		}
	}
	return nil
}

// mapping is what the first line of a mapping says: BEGIN-END MODE ...
func mapping(line []byte) (begin, end uintptr, mode []byte, ok bool) {
	place, rest, found := bytes.Cut(line, []byte(" "))
	first, last, dash := bytes.Cut(place, []byte("-"))
	if !found || !dash || len(rest) < 4 {
		return 0, 0, nil, false
	}
	b, err1 := strconv.ParseUint(string(first), 16, 64)
	e, err2 := strconv.ParseUint(string(last), 16, 64)
	return uintptr(b), uintptr(e), rest[:4], err1 == nil && err2 == nil
}

package rootpath

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// InRoot is a path inside a container's root file system, as the container
// would name it. It is untrusted.
type InRoot string

// Open returns an O_PATH descriptor of what p is below root, links resolved:
// it stands for the file, and opens nothing. ENOENT, ENOTDIR, ELOOP and EACCES
// are as for a process whose root is root.
//
// pathrs-lite does the same on kernels without openat2, and for that mounts a
// procfs at its first use: a third of a millisecond, where this is one call.
// The tests compare the two.
func Open(root *os.File, p InRoot) (*os.File, error) {
	return open(root, p, unix.O_PATH)
}

// OpenFile opens a regular file for reading. Anything else, a FIFO or a device,
// is not opened, and is an error.
//
// CVE-2026-47262: a file that the image provides may block, or never end.
func OpenFile(root *os.File, p InRoot) (*os.File, error) {
	handle, err := Open(root, p)
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	if _, err := regular(handle, p); err != nil {
		return nil, err
	}
	f, err := os.Open("/proc/self/fd/" + strconv.Itoa(int(handle.Fd())))
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: string(p), Err: cause(err)}
	}
	return f, nil
}

// ReadFile reads a regular file of at most most bytes. A larger one is an
// error.
func ReadFile(root *os.File, p InRoot, most int64) ([]byte, error) {
	f, err := OpenFile(root, p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: string(p), Err: cause(err)}
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("read %s: larger than %d bytes", p, most)
	}
	return data, nil
}

func open(root *os.File, p InRoot, flags uint64) (*os.File, error) {
	f, err := sys.Openat2(root, string(p), &unix.OpenHow{
		Flags:   flags,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: string(p), Err: cause(err)}
	}
	return f, nil
}

// regular returns the status of a regular file.
func regular(f *os.File, p InRoot) (*unix.Stat_t, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: string(p), Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("open %s: not a regular file", p)
	}
	return &st, nil
}

// cause is the errno in an error about a path, which must not name the host's.
func cause(err error) error {
	if e, ok := err.(*os.PathError); ok {
		return e.Err
	}
	return err
}

package treecopy

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Place is where files are copied from or to.
type Place struct {
	// Root is the directory that paths begin at.
	Root *os.File
	// Confined tells that Root is a container's, which nothing leads out of.
	// Otherwise it is the host's.
	Confined bool
	// Owner is who has what is copied here, as this process sees ids; nil for who
	// makes it.
	Owner *Owner
	// UIDs and GIDs say who the container's users are as this process sees ids; nil
	// where they are the same. They count where owners are kept.
	UIDs, GIDs IDs
}

// Owner is a user and a group.
type Owner struct{ UID, GID int }

// Host is the machine that the program runs on.
func Host() (Place, error) {
	root, err := os.OpenFile("/", unix.O_PATH|unix.O_DIRECTORY, 0)
	return Place{Root: root}, err
}

// retries is how often a path is resolved anew while somebody renames its parts.
// Linux: openat2(2), EAGAIN.
const retries = 1 << 16

// openHow opens with openat2(2). The name is for messages.
func openHow(dir *os.File, path string, flags, resolve uint64) (*os.File, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: resolve}
	for tries := 0; ; tries++ {
		fd, err := unix.Openat2(int(dir.Fd()), path, &how)
		if err == nil {
			return os.NewFile(uintptr(fd), path), nil
		}
		if err != unix.EINTR && (err != unix.EAGAIN || tries > retries) {
			return nil, &os.PathError{Op: "opening", Path: path, Err: err}
		}
	}
}

// open opens a path of the place as a handle, which stands for the file and reads
// nothing. Links are followed, the last one only where follow says so.
func (p Place) open(path string, follow follow) (*os.File, error) {
	flags, resolve := uint64(unix.O_PATH), uint64(0)
	if follow == lastStays {
		flags |= unix.O_NOFOLLOW
	}
	if p.Confined {
		resolve = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS
	}
	return openHow(p.Root, path, flags, resolve)
}

// follow says what becomes of a link at the end of a path.
type follow int

const (
	lastStays follow = iota
	lastIsFollowed
)

// child opens an entry of a directory as a handle; a link is not followed.
func child(dir *os.File, name string) (*os.File, error) {
	return openHow(dir, name, unix.O_PATH|unix.O_NOFOLLOW, unix.RESOLVE_BENEATH)
}

// reopen opens the file behind a handle for reading or writing. The caller knows
// that it is a regular file or a directory, so that opening does not wait.
func reopen(handle *os.File, flags int) (*os.File, error) {
	f, err := os.OpenFile(procPath(handle), flags|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	var path *os.PathError
	if errors.As(err, &path) {
		path.Path = handle.Name()
	}
	return f, err
}

// procPath is a name of an open file that leads to nothing else.
func procPath(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }

func stat(f *os.File) (st unix.Stat_t, err error) {
	err = unix.Fstat(int(f.Fd()), &st)
	return st, os.NewSyscallError("fstat", err)
}

func isDir(st unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFDIR }

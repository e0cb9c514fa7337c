package stdio

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// openSink opens what a process's output is written to, without waiting for a
// reader. The end for reading of a FIFO is opened too: data stays in it while
// nobody reads, and whoever reads next finds no end of file. Files are not
// opened to append, which splice(2) refuses: see pump.piece.
func openSink(u *url.URL) (*os.File, error) {
	flags := os.O_RDWR | unix.O_NONBLOCK
	if u.Scheme == schemeFile {
		if err := os.MkdirAll(filepath.Dir(u.Path), 0o755); err != nil {
			return nil, fmt.Errorf("opening the stream %s: %w", u.Path, err)
		}
		flags = os.O_WRONLY | os.O_CREATE
	} else if !isFIFO(u.Path) {
		flags = os.O_WRONLY
	}
	return openRaw(u.Path, flags, 0o644)
}

// openSource opens the FIFO from which a process's input comes, and one more
// end for writing, which keeps the input open when a client goes. A process's
// input ends when that is closed.
func openSource(path string) (source, keep *os.File, err error) {
	if !isFIFO(path) {
		source, err = openRaw(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
		return source, nil, err
	}
	if source, err = openRaw(path, os.O_RDONLY|unix.O_NONBLOCK, 0); err != nil {
		return nil, nil, err
	}
	if keep, err = openRaw(path, os.O_WRONLY|unix.O_NONBLOCK, 0); err != nil {
		source.Close()
		return nil, nil, err
	}
	return source, keep, nil
}

// openRaw opens a file that Go's own poller shall not know.
func openRaw(path string, flags int, mode uint32) (*os.File, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NOCTTY, mode)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("opening the stream %s: %w", path, err)
		}
		return rawFile(fd, path), nil
	}
}

// rawFile is a file whose descriptor os.File leaves as it is.
func rawFile(fd int, name string) *os.File {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_NONBLOCK != 0 {
		unix.SetNonblock(fd, false)
		defer unix.SetNonblock(fd, true)
	}
	return os.NewFile(uintptr(fd), name)
}

func isFIFO(path string) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}

// pipe makes a pipe whose ends belong to a user. Ends start out blocking, as a
// process expects its streams.
func pipe(uid, gid int) (r, w *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	r, w = os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe")
	if uid != 0 || gid != 0 {
		if err := unix.Fchown(fds[0], uid, gid); err != nil {
			closeAll(r, w)
			return nil, nil, fmt.Errorf("giving a pipe to user %d: %w", uid, err)
		}
	}
	return r, w, nil
}

// closeAll closes files, those that are there.
func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

package rootfs

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/internal/tree"
)

// copier copies the content of regular files in the cheapest way that the two
// file systems have. What failed once is not tried again.
type copier struct {
	noReflink, noCopyRange bool
	buf                    []byte
}

func newCopier() *copier { return &copier{} }

// file copies a regular file with all that it has.
func (c *copier) file(e *tree.Entry, to *tree.Dir) error {
	from, st, err := e.In.OpenFile(e.Name)
	if err != nil {
		return err
	}
	defer from.Close()
	fd, err := to.FD()
	if err != nil {
		return err
	}
	const flags = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err = unix.Openat(fd, e.Name, flags, 0o600)
	if err != nil {
		return fmt.Errorf("making %s: %w", e.Path, err)
	}
	made := os.NewFile(uintptr(fd), e.Path)
	if err = c.content(made, from, st); err != nil {
		err = fmt.Errorf("copying %s: %w", e.Path, err)
	} else {
		err = setMetadata(fd, e)
	}
	return errors.Join(err, made.Close())
}

// content copies all bytes, or shares them. Holes stay holes.
//
// Linux 4.5: FICLONE, on file systems that can share blocks.
func (c *copier) content(to, from *os.File, st unix.Stat_t) error {
	if st.Size == 0 {
		return nil
	}
	if !c.noReflink {
		if err := unix.IoctlFileClone(int(to.Fd()), int(from.Fd())); err == nil {
			return nil
		}
		c.noReflink = true
	}
	if st.Blocks*512 >= st.Size {
		return c.span(to, from, 0, st.Size)
	}
	if err := unix.Ftruncate(int(to.Fd()), st.Size); err != nil {
		return err
	}
	return eachSpan(from, st.Size, func(start, end int64) error { return c.span(to, from, start, end) })
}

// eachSpan calls act for each part of a file that is no hole.
func eachSpan(f *os.File, size int64, act func(start, end int64) error) error {
	fd := int(f.Fd())
	for at := int64(0); at < size; {
		start, err := unix.Seek(fd, at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("looking for holes: %w", err)
		}
		end, err := unix.Seek(fd, start, unix.SEEK_HOLE)
		if err != nil {
			return fmt.Errorf("looking for holes: %w", err)
		}
		if err := act(start, min(end, size)); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// span copies the bytes from start to end to the same place.
func (c *copier) span(to, from *os.File, start, end int64) error {
	for !c.noCopyRange && start < end {
		readAt, writeAt := start, start
		n, err := unix.CopyFileRange(int(from.Fd()), &readAt, int(to.Fd()), &writeAt, int(min(end-start, 1<<30)), 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EXDEV), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL), err == nil && n == 0:
			c.noCopyRange = true
		case err != nil:
			return err
		}
		start += int64(max(n, 0))
	}
	return c.bytes(to, from, start, end)
}

// bytes copies through memory.
func (c *copier) bytes(to, from *os.File, start, end int64) error {
	if start >= end {
		return nil
	}
	if c.buf == nil {
		c.buf = make([]byte, 256<<10)
	}
	// Neither side is an *os.File here, or io.CopyBuffer would leave the buffer aside.
	to1, from1 := struct{ io.Writer }{io.NewOffsetWriter(to, start)}, struct{ io.Reader }{io.NewSectionReader(from, start, end-start)}
	n, err := io.CopyBuffer(to1, from1, c.buf)
	if err == nil && n < end-start {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// special copies what is neither a directory nor a regular file.
func special(e *tree.Entry, to *tree.Dir) error {
	fd, err := to.FD()
	if err == nil {
		err = makeSpecial(fd, e)
	}
	if err != nil {
		return fmt.Errorf("making %s: %w", e.Path, err)
	}
	made, err := unix.Openat(fd, e.Name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("making %s: %w", e.Path, err)
	}
	defer unix.Close(made)
	var st unix.Stat_t
	err = unix.Fstat(made, &st)
	if err == nil && (st.Mode&unix.S_IFMT != e.Type() || st.Nlink != 1 || int(st.Uid) != unix.Geteuid()) {
		err = errors.New("somebody else put another file there")
	}
	if err != nil {
		return fmt.Errorf("making %s: %w", e.Path, err)
	}
	return setMetadata(made, e)
}

// makeSpecial makes a link, a device, a pipe or a socket.
func makeSpecial(fd int, e *tree.Entry) error {
	if e.Type() != unix.S_IFLNK {
		return unix.Mknodat(fd, e.Name, e.Type()|0o600, int(e.Stat.Rdev))
	}
	target, err := e.In.ReadLink(e.Name)
	if err != nil {
		return err
	}
	return unix.Symlinkat(target, fd, e.Name)
}

package volume

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// content copies size bytes: with shared extents where the file system can do
// that, otherwise without the holes.
func (c *copier) content(source, dest *os.File, size int64) error {
	if size == 0 {
		return nil
	}
	if unix.IoctlFileClone(int(dest.Fd()), int(source.Fd())) == nil {
		return dest.Truncate(size)
	}
	if err := dest.Truncate(size); err != nil {
		return err
	}
	for off := int64(0); off < size; {
		begin, end, err := dataAt(source, off, size)
		if err != nil {
			return err
		}
		if begin >= size {
			return nil
		}
		if err := c.extent(source, dest, begin, end); err != nil {
			return err
		}
		off = end
	}
	return nil
}

// dataAt is the first piece with data from off on, within size.
func dataAt(f *os.File, off, size int64) (begin, end int64, err error) {
	begin, err = unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	if err == unix.ENXIO {
		return size, size, nil // a hole up to the end
	}
	if err == unix.EINVAL {
		return off, size, nil // a file system that does not know
	}
	if err != nil {
		return 0, 0, os.NewSyscallError("lseek", err)
	}
	end, err = unix.Seek(int(f.Fd()), begin, unix.SEEK_HOLE)
	if err != nil || end <= begin {
		end = size
	}
	return begin, min(end, size), nil
}

// extent copies one piece. A source that became shorter leaves zeros.
func (c *copier) extent(source, dest *os.File, begin, end int64) error {
	in, out := begin, begin
	for in < end {
		n, err := unix.CopyFileRange(int(source.Fd()), &in, int(dest.Fd()), &out, int(min(end-in, 1<<30)), 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return c.readWrite(source, dest, in, end)
		}
		if n == 0 {
			return nil
		}
	}
	return nil
}

// readWrite is for file systems between which the kernel does not copy.
func (c *copier) readWrite(source, dest *os.File, begin, end int64) error {
	if c.buf == nil {
		c.buf = make([]byte, 256<<10)
	}
	for off := begin; off < end; {
		n, err := source.ReadAt(c.buf[:min(end-off, int64(len(c.buf)))], off)
		if n > 0 {
			if _, err := dest.WriteAt(c.buf[:n], off); err != nil {
				return err
			}
			off += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

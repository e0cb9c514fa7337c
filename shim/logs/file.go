package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// batch is how many bytes of records are written at once.
const batch = 64 << 10

// encoder is a form of records in files; the two are jsonFile and cri.
type encoder interface {
	encode(dst, stamp []byte, s Stream, line []byte, whole bool) []byte
}

// file is a log on disk: the file that is written to, and older ones beside it.
type file struct {
	path string
	max  int64 // bytes; 0: no rotation
	keep int   // how many files, at least 1
	enc  encoder
	f    *os.File
	size int64
	buf  []byte
}

func openFile(path string, limit int64, keep int, enc encoder) (*file, error) {
	l := &file{path: path, max: limit, keep: max(1, keep), enc: enc}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

// open opens the file, and cuts off half a record that a killed writer left.
func (l *file) open() error {
	f, err := openLog(l.path, 0)
	if err != nil {
		return fmt.Errorf("opening log: %w", err)
	}
	size, err := wholeRecords(f)
	if err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("repairing log: %w", err)
	}
	l.f, l.size = f, size
	return nil
}

// openLog opens a file to append to, and to look for its last record.
func openLog(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK|flags, 0o640)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// wholeRecords is the file's size up to the end of its last whole record.
func wholeRecords(f *os.File) (int64, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 4<<10)
	for end > 0 {
		n := min(int64(len(buf)), end)
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, nil
		}
		end -= n
	}
	return 0, nil
}

func (l *file) record(stamp []byte, s Stream, line []byte, whole bool) error {
	var err error
	if l.max > 0 && l.size+int64(len(l.buf)) >= l.max {
		err = errors.Join(l.flush(), l.rotate())
	} else if len(l.buf) >= batch {
		err = l.flush()
	}
	l.buf = l.enc.encode(l.buf, stamp, s, line, whole)
	return err
}

// flush writes the buffer with one call. After a failure the file still ends in
// a whole record.
func (l *file) flush() error {
	if len(l.buf) == 0 {
		return nil
	}
	n, err := l.f.Write(l.buf)
	if err != nil {
		whole := bytes.LastIndexByte(l.buf[:n], '\n') + 1
		if whole < n {
			err = errors.Join(err, l.f.Truncate(l.size+int64(whole)))
		}
		n = whole
		err = fmt.Errorf("writing log: %w", err)
	}
	l.size += int64(n)
	l.buf = l.buf[:0]
	return err
}

// rotate goes on in a new file. That is made first, under another name: if it
// cannot be made, the old one grows on. A kill in between leaves a number out,
// which no reader minds.
func (l *file) rotate() error {
	next := l.path + ".next"
	f, err := openLog(next, os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("rotating log: %w", err)
	}
	err = l.shift()
	if err == nil {
		err = os.Rename(next, l.path)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("rotating log: %w", err)
	}
	l.f.Close()
	l.f, l.size = f, 0
	return nil
}

// shift gives each file the next number, the oldest first, as far as there are
// files without a gap.
func (l *file) shift() error {
	last := 0
	for last < l.keep-1 && exists(l.numbered(last)) {
		last++
	}
	for n := last; n > 0; n-- {
		if err := os.Rename(l.numbered(n-1), l.numbered(n)); err != nil {
			return err
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// numbered is the name of an older file; 0 is the one written to.
func (l *file) numbered(n int) string {
	if n == 0 {
		return l.path
	}
	return l.path + "." + strconv.Itoa(n)
}

func (l *file) reopen() error {
	old := l.f
	if err := l.open(); err != nil {
		return err
	}
	return old.Close()
}

func (l *file) close() error { return l.f.Close() }

func (l *file) position() (inode uint64, size int64) {
	var st unix.Stat_t
	if unix.Fstat(int(l.f.Fd()), &st) != nil {
		return 0, 0
	}
	return st.Ino, l.size
}

// Cut takes back what was written to the log at path after a [Writer.Position],
// also where it was rotated since. The log must have no Writer.
func Cut(path string, inode uint64, size int64) error {
	numbers, err := numbers(path)
	if err != nil {
		return err
	}
	for i := len(numbers) - 1; i >= 0; i-- { // the newest first
		old := name(path, numbers[i])
		var st unix.Stat_t
		if err := unix.Lstat(old, &st); err != nil || st.Ino != inode {
			continue
		}
		if st.Size < size {
			return fmt.Errorf("taking back what was logged: %s has %d bytes, and had %d", old, st.Size, size)
		}
		return cutTo(path, numbers[i:], old, size)
	}
	return nil // the file has been rotated away
}

// cutTo makes a file the newest again, in place of those after it.
func cutTo(path string, numbers []int, old string, size int64) error {
	if err := os.Truncate(old, size); err != nil {
		return fmt.Errorf("taking back what was logged: %w", err)
	}
	for _, n := range numbers[1:] {
		if err := os.Remove(name(path, n)); err != nil {
			return fmt.Errorf("taking back what was logged: %w", err)
		}
	}
	if old == path {
		return nil
	}
	return os.Rename(old, path)
}

package events

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/internal/statefile"
)

// maxFile is how large a file may grow before a new one is begun, in bytes.
const maxFile = 4 << 20

// files are the store's files of events.
type files struct {
	dir   string
	limit int64 // of a file's size
}

func at(root string) files { return files{filepath.Join(root, "events"), maxFile} }

func (f files) newest() string { return filepath.Join(f.dir, "log") }
func (f files) older() string  { return filepath.Join(f.dir, "log.1") }
func (f files) lock() string   { return filepath.Join(f.dir, "lock") }

// Append notes an event in the store at root. Events stand in the order of
// their appending, whichever process does it.
func Append(root string, e Event) error {
	if err := at(root).append(e); err != nil {
		return fmt.Errorf("noting event %s %s: %w", e.Type, e.Action, err)
	}
	return nil
}

func (f files) append(e Event) error {
	l, err := statefile.Acquire(f.lock())
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(f.dir, 0o700); err == nil {
			l, err = statefile.Acquire(f.lock())
		}
	}
	if err != nil {
		return err
	}
	defer l.Release()
	if e.Time.IsZero() {
		e.Time = time.Now().UTC()
	}
	line, err := e.line()
	if err != nil {
		return err
	}
	return f.write(line)
}

// write adds a line to the newest file, under the lock. What a killed process
// left half written is ended first, so that it costs no event but its own.
func (f files) write(line []byte) error {
	file, err := os.OpenFile(f.newest(), os.O_RDWR|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if size := info.Size(); size > 0 && size+int64(len(line)) > f.limit {
		return f.rotate(line)
	}
	if !whole(file, info.Size()) {
		line = append([]byte("\n"), line...)
	}
	_, err = file.Write(line)
	return err
}

// rotate begins a new file with a line. The oldest events go.
func (f files) rotate(line []byte) error {
	if err := os.Rename(f.newest(), f.older()); err != nil {
		return err
	}
	return f.write(line)
}

// whole says whether a file ends with a line's end.
func whole(file *os.File, size int64) bool {
	if size == 0 {
		return true
	}
	var last [1]byte
	_, err := file.ReadAt(last[:], size-1)
	return err == nil && last[0] == '\n'
}

package criu

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Error says what criu failed at, and why according to its log.
type Error struct {
	Phase string // dump, pre-dump or restore
	After string // the last event before; "" for none
	Cause string // the line of the log that tells of the first error; "" for none
	Log   string // the log's path; "" where there is none
	Err   error  // what criu answered
}

// Error is one line.
func (e *Error) Error() string {
	text := "criu failed to " + e.Phase
	if e.After != "" {
		text += " after " + e.After
	}
	if e.Cause != "" {
		text += ": " + e.Cause
	} else {
		text += ": " + e.Err.Error()
	}
	if e.Log != "" {
		text += " [see " + e.Log + "]"
	}
	return text
}

// Unwrap is what criu answered.
func (e *Error) Unwrap() error { return e.Err }

// failure finds the cause in the log.
func (o *Options) failure(phase, after string, err error) error {
	dir := o.Work
	if dir == nil {
		dir = o.Images
	}
	e := &Error{Phase: phase, After: after, Err: err}
	tail, openErr := readTail(dir, o.LogFile)
	if openErr != nil {
		return e
	}
	e.Log = filepath.Join(dir.Name(), o.LogFile)
	e.Cause = cause(tail)
	return e
}

// tailSize is how much of the end of a log is looked at, in bytes.
const tailSize = 256 << 10

// readTail reads the end of a log. Its directory may be another's: what is not
// a regular file there is not opened.
func readTail(dir *os.File, name string) ([]byte, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	return tail(f)
}

func tail(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	return io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-tailSize), tailSize))
}

// summaries are the errors that criu's log has whatever the cause was.
var summaries = []string{"Dumping FAILED", "Pre-dumping FAILED", "Restoring FAILED", "exited, status=", "killed by signal"}

// cause is the first line of a log that tells of an error, without the time in
// front: what follows it mostly follows from it. Lines that only say that there
// was one count where there is no other.
func cause(log []byte) string {
	general := ""
	for line := range bytes.Lines(log) {
		_, text, ok := strings.Cut(strings.TrimSpace(string(line)), "Error (")
		if ok && !summary(text) {
			return "Error (" + text
		}
		if ok {
			general = "Error (" + text
		}
	}
	return general
}

func summary(text string) bool {
	for _, s := range summaries {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// explain adds what a criu that Start started has said on standard error, where
// it has no log yet.
func (s *Session) explain(err error) error {
	if s.stderr == nil || !errors.Is(err, errRefused) && !errors.Is(err, errSilent) {
		return err
	}
	said, readErr := tail(s.stderr)
	if readErr != nil {
		return err
	}
	if text := cause(said); text != "" {
		return fmt.Errorf("%w: %s", err, text)
	}
	return err
}

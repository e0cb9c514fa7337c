package users

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/cyphar/filepath-securejoin/pathrs-lite"
	"golang.org/x/sys/unix"
)

const (
	passwdFile = "etc/passwd"
	groupFile  = "etc/group"
)

// maxFile is how many bytes of a file are read: far more than a real one has.
// CVE-2026-47262: a huge file was read whole.
const maxFile = 10 << 20

// ErrUnknown is a name that the files do not have.
var ErrUnknown = errors.New("not found in the container")

// read reads a file below root; nothing where there is none.
func read(root *os.File, name string) ([]byte, error) {
	file, err := open(root, name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading /%s: %w", name, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading /%s: %w", name, err)
	case len(data) > maxFile:
		return nil, fmt.Errorf("reading /%s: %w [at most 10 MiB are read]", name, unix.EFBIG)
	}
	return data, nil
}

// open opens a regular file below root. What it is, is asked before it is
// opened: opening a FIFO waits, and opening a device may do anything.
func open(root *os.File, name string) (*os.File, error) {
	handle, err := pathrs.OpenatInRoot(root, name)
	if err != nil {
		return nil, cause(err)
	}
	defer handle.Close()
	info, err := handle.Stat()
	switch {
	case err != nil:
		return nil, cause(err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: not a regular file", unix.EINVAL)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%w [at most 10 MiB are read]", unix.EFBIG)
	}
	file, err := pathrs.Reopen(handle, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC)
	return file, cause(err)
}

// cause is the errno of an error, without the paths that are in its text.
func cause(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// lines calls each with the fields of every line that has at least n, until it
// returns false.
func lines(data []byte, n int, each func(fields []string) bool) {
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		fields := bytes.Split(line, []byte(":"))
		if len(fields) < n {
			continue
		}
		text := make([]string, len(fields))
		for i, f := range fields {
			text[i] = string(f)
		}
		if !each(text) {
			return
		}
	}
}

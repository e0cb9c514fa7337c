package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// chain are the files of one log that exist, the oldest first, open.
type chain []*os.File

// openChain opens them. A rotation at the same time may show a file under two
// names, or under none: a second look tells.
func openChain(path string) (chain, error) {
	for range looks {
		files, err := openNumbered(path)
		if err != nil {
			return nil, err
		}
		again, err := numbers(path)
		if err != nil {
			files.close()
			return nil, err
		}
		if files.are(path, again) {
			return files, nil
		}
		files.close()
	}
	return nil, fmt.Errorf("opening log: %s is rotated faster than it can be looked at", path)
}

// looks is how many times openChain looks.
const looks = 1000

// numbers are those of the files that exist, the oldest, which is the highest,
// first.
func numbers(path string) ([]int, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("looking for log files: %w", err)
	}
	var found []int
	base := filepath.Base(path)
	for _, e := range entries {
		if e.Name() == base {
			found = append(found, 0)
		} else if suffix, ok := strings.CutPrefix(e.Name(), base+"."); ok {
			if n, err := strconv.Atoi(suffix); err == nil && n > 0 && strconv.Itoa(n) == suffix {
				found = append(found, n)
			}
		}
	}
	slices.Sort(found)
	slices.Reverse(found)
	return found, nil
}

func openNumbered(path string) (chain, error) {
	found, err := numbers(path)
	if err != nil {
		return nil, err
	}
	var files chain
	for _, n := range found {
		f, err := openRead(name(path, n))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			files.close()
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// openRead opens a log file, which is a regular file or an error.
func openRead(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("opening log: %w", err)
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("opening log: %s: not a regular file", path)
	}
	return f, nil
}

func name(path string, n int) string { return (&file{path: path}).numbered(n) }

// are says whether the files are those that have the numbers now.
func (c chain) are(path string, numbers []int) bool {
	if len(c) != len(numbers) {
		return false
	}
	for i, n := range numbers {
		fi, err := os.Lstat(name(path, n))
		if err != nil || !same(c[i], fi) {
			return false
		}
	}
	return true
}

func same(f *os.File, fi fs.FileInfo) bool {
	mine, err := f.Stat()
	return err == nil && os.SameFile(mine, fi)
}

// after are the files that are newer than f, and closes the others, f not. All
// are newer where f is gone.
func (c chain) after(f *os.File) chain {
	fi, err := f.Stat()
	if err != nil {
		return c
	}
	for i := range c {
		if same(c[i], fi) {
			c[:i+1].close()
			return c[i+1:]
		}
	}
	return c
}

func (c chain) close() {
	for _, f := range c {
		f.Close()
	}
}

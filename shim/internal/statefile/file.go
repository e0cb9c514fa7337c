package statefile

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// temporary is how the names of files begin that are not in place yet.
const temporary = ".new-"

// Write replaces the file at path by data (mode 0600), which is on disk when it
// returns. Whoever reads sees the old content or the new.
func Write(path string, data []byte) error {
	if err := replace(path, data, (*os.File).Sync); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// Replace is Write of what need not outlive the machine: it reaches a disk when
// the kernel sees fit, and after a power failure the file may be the old one, the
// new one, or none.
func Replace(path string, data []byte) error {
	return replace(path, data, func(*os.File) error { return nil })
}

// replace writes beside the file, and puts it in its place once it is kept.
func replace(path string, data []byte, keep func(*os.File) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), temporary)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := keep(f); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// syncDir puts a directory's entries on disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// WriteJSON is Write of a value as JSON.
func WriteJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return Write(path, append(data, '\n'))
}

// ReadJSON reads a value; os.ErrNotExist where there is no file.
func ReadJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// Names are the files of a directory that end in suffix, without it, in order.
// It removes what a killed Write left, so the directory's lock is to be held.
func Names(dir, suffix string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), temporary) {
			os.Remove(filepath.Join(dir, e.Name()))
			continue
		}
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok && name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

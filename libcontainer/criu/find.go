package criu

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// ErrMissing says that there is no criu to be found.
var ErrMissing = errors.New("criu is not installed")

// MinVersion is the oldest criu that is talked to: the first that knows external
// pid namespaces and tells when its page server is ready.
const MinVersion Version = 31500

// Version is criu's: 31701 is 3.17.1.
type Version int

// String is the version as people write it.
func (v Version) String() string {
	text := fmt.Sprintf("%d.%d", v/10000, v/100%100)
	if v%100 != 0 {
		text += fmt.Sprintf(".%d", v%100)
	}
	return text
}

// TooOldError says that criu does not know what is asked of it.
type TooOldError struct {
	What       string // such as "--lsm-profile"
	Have, Need Version
}

// Error is one line.
func (e *TooOldError) Error() string {
	return fmt.Sprintf("%s needs criu %v, and %v is installed [install a newer criu]", e.What, e.Need, e.Have)
}

// Find looks criu up in $PATH. ErrMissing: it is not there.
func Find() (string, error) {
	path, err := exec.LookPath("criu")
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("%w: no program of this name in $PATH [install criu]", ErrMissing)
	}
	if err != nil {
		return "", fmt.Errorf("looking for criu: %w", err)
	}
	return path, nil
}

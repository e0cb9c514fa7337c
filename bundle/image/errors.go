package image

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotFound says that a place has no image of that name.
var ErrNotFound = errors.New("no such image")

// RejectedError says that an image is not what it claims to be, or is no image.
// Fetching it again does not help.
type RejectedError struct {
	Reason string
	Err    error // may be nil
}

func (e *RejectedError) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return e.Reason + ": " + e.Err.Error()
}

func (e *RejectedError) Unwrap() error { return e.Err }

// Rejected makes a RejectedError.
func Rejected(format string, args ...any) error {
	return &RejectedError{Reason: fmt.Sprintf(format, args...)}
}

// IsRejected tells whether an error is for good.
func IsRejected(err error) bool {
	var rejected *RejectedError
	return errors.As(err, &rejected)
}

// List is the beginning of a list of names, for an error.
func List(names []string) string {
	const most = 20
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s, and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

package container

import (
	"errors"
	"fmt"
	"io/fs"
)

// The errors on which a caller may decide.
var (
	ErrNotExist  = errors.New("container does not exist")
	ErrExist     = errors.New("container already exists")
	ErrAmbiguous = errors.New("multiple IDs found with provided prefix") // Compat(moby): its words
)

// NotFoundError is an ErrNotExist: there is no container of a name or ID.
type NotFoundError struct{ Ref string }

// Error is what scripts look for.
// Compat(moby): its words.
func (e *NotFoundError) Error() string { return "No such container: " + e.Ref }

// Is tells that it is ErrNotExist.
func (e *NotFoundError) Is(target error) bool { return target == ErrNotExist }

// notFound is a NotFoundError where a file of the container is missing.
func notFound(id string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &NotFoundError{id}
	}
	return err
}

// TakenError is an ErrExist: another container has the name.
type TakenError struct{ Name, ID string }

// Error is what scripts look for.
// Compat(moby): its words.
func (e *TakenError) Error() string {
	return fmt.Sprintf("Conflict. The container name %q is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.", "/"+e.Name, e.ID)
}

// Is tells that it is ErrExist.
func (e *TakenError) Is(target error) bool { return target == ErrExist }

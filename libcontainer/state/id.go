package state

import "fmt"

// maxID is NAME_MAX: an id is the name of a directory.
const maxID = 255

// CheckID returns an error, of which errors.Is says [ErrInvalidID], unless id
// can name a container: one to 255 letters, digits, '_', '+', '-' and '.', of
// which the first is not '.'.
func CheckID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: it is empty", ErrInvalidID)
	case len(id) > maxID:
		return fmt.Errorf("%w: %d bytes are too many, %d are allowed", ErrInvalidID, len(id), maxID)
	case id[0] == '.':
		return fmt.Errorf("%w: %q starts with a dot", ErrInvalidID, id)
	}
	for i := range len(id) {
		if !allowedInID(id[i]) {
			return fmt.Errorf("%w: %q holds more than letters, digits, '_', '+', '-' and '.'", ErrInvalidID, id)
		}
	}
	return nil
}

func allowedInID(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '_' || c == '+' || c == '-' || c == '.'
}

package users

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrInvalid is a user or group that can be nobody's.
var ErrInvalid = errors.New("invalid user or group")

// maxID is the largest id: one more is negative for programs that keep ids in a
// signed number.
// CVE-2024-40635: larger ids overflowed, to root among others.
const maxID = 1<<31 - 1

// part is a user or a group as it was named: by a name or by a number.
type part struct {
	name    string
	id      uint32
	numeric bool
}

func (p part) empty() bool { return p.name == "" && !p.numeric }

// wanted is a user with, perhaps, a group.
type wanted struct{ user, group part }

// parse takes USER[:GROUP] apart.
func parse(text string) (wanted, error) {
	if strings.Count(text, ":") > 1 {
		return wanted{}, fmt.Errorf("%w: more than one colon", ErrInvalid)
	}
	name, group, _ := strings.Cut(text, ":")
	user, err := parsePart(name)
	if err != nil {
		return wanted{}, err
	}
	of, err := parsePart(group)
	return wanted{user, of}, err
}

// parsePart tells numbers from names. What looks like a number is one, and
// never a name of the files, however large it is.
// CVE-2026-46680: a number out of range was looked up as a name.
func parsePart(text string) (part, error) {
	if strings.ContainsFunc(text, isControl) {
		return part{}, fmt.Errorf("%w: it has control characters", ErrInvalid)
	}
	if !looksNumeric(text) {
		return part{name: text}, nil
	}
	id, err := parseID(text)
	return part{id: id, numeric: true}, err
}

// isControl tells the characters that no line of the files can hold in a field.
func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// looksNumeric tells whether text is digits, perhaps with a sign before or white space around them.
func looksNumeric(text string) bool {
	digits := strings.TrimLeft(strings.TrimSpace(text), "+-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// parseID reads an id: digits alone.
func parseID(text string) (uint32, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return 0, fmt.Errorf("%w: %q is not a plain number", ErrInvalid, text)
	case err != nil || id > maxID:
		return 0, fmt.Errorf("%w: %s is not between 0 and %d", ErrInvalid, text, maxID)
	}
	return uint32(id), nil
}

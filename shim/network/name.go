package network

import (
	"errors"
	"fmt"
	"strings"
)

// The errors on which a caller may decide.
var (
	ErrExist    = errors.New("network already exists")
	ErrNotExist = errors.New("network does not exist")
	ErrInUse    = errors.New("network is in use")
)

// DefaultName is the network of containers that name none. It is made when the
// first of them comes.
const DefaultName = "bridge"

// reserved are words of --network that are no networks.
var reserved = []string{"none", "host", "container", "default", "private"}

// checkName says what is wrong with the name of a network or a container. A
// name becomes a part of file names and of CNI's, and stands in hosts files.
func checkName(what, name string) error {
	if name == "" || len(name) > 128 {
		return fmt.Errorf("%s %q: a name has 1 to 128 characters", what, name)
	}
	for i, r := range name {
		if !isWord(r) && (i == 0 || !strings.ContainsRune("_.-", r)) {
			return fmt.Errorf("%s %q: a name has letters, digits and (not first) _ . -", what, name)
		}
	}
	return nil
}

func isWord(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// checkHost says what is wrong with a name for a hosts file.
//
// CVE-2022-4318: a newline in a name writes a line of its own.
func checkHost(name string) error {
	if name == "" || len(name) > 253 {
		return fmt.Errorf("host name %q: a name has 1 to 253 characters", name)
	}
	for _, r := range name {
		if !isWord(r) && !strings.ContainsRune("_.-", r) {
			return fmt.Errorf("host name %q: a name has letters, digits and _ . -", name)
		}
	}
	return nil
}

// checkHosts is checkHost of several.
func checkHosts(names []string) error {
	for _, name := range names {
		if err := checkHost(name); err != nil {
			return err
		}
	}
	return nil
}

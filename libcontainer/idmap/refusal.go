package idmap

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// refusal says why a helper may have failed, as far as it can be seen.
func (k kind) refusal(path string) string {
	if !gainsRights(path) {
		return fmt.Sprintf("%s is neither set-user-ID root nor has a file capability: install the package uidmap or shadow-utils anew", path)
	}
	if v, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err == nil && v == 1 {
		return "the caller has no_new_privs, under which " + k.helper + " has no rights"
	}
	ranges, err := allowedRanges(k.allowed)
	switch {
	case err != nil:
		return fmt.Sprintf("%s must allow these ids to the user, and cannot be read: %v", k.allowed, err)
	case len(ranges) == 0:
		return fmt.Sprintf("%s has no line for the user %s: add %s:FIRST:COUNT", k.allowed, userName(), userName())
	}
	return fmt.Sprintf("%s allows the user %s %s", k.allowed, userName(), strings.Join(ranges, ", "))
}

// gainsRights reports whether a program has rights that its caller lacks.
func gainsRights(path string) bool {
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil && st.Uid == 0 && st.Mode&unix.S_ISUID != 0 {
		return true
	}
	n, err := unix.Getxattr(path, "security.capability", nil)
	return err == nil && n > 0
}

// allowedRanges are the ranges that a file gives this process's user, as it
// writes them: "100000:65536".
//
// Source: subuid(5).
func allowedRanges(file string) ([]string, error) {
	f, err := os.Open(file)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var ranges []string
	for s := bufio.NewScanner(f); s.Scan(); {
		who, ids, _ := strings.Cut(s.Text(), ":")
		if who != "" && (who == userName() || who == strconv.Itoa(os.Getuid())) {
			ranges = append(ranges, ids)
		}
	}
	return ranges, nil
}

// userName is the caller's name, or number where that has none. Package os/user
// would believe the environment where /etc/passwd does not know the number.
func userName() string {
	id := strconv.Itoa(os.Getuid())
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return id
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if fields := strings.Split(s.Text(), ":"); len(fields) > 2 && fields[2] == id {
			return fields[0]
		}
	}
	return id
}

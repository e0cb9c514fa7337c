package users

import (
	"fmt"
	"os"
	"slices"
)

// Identity is who a process runs as, in numbers of the container's.
type Identity struct {
	UID, GID uint32
	// Groups are the supplementary groups, the first of them GID: without it a file
	// that denies the group something could be had by dropping the group.
	// CVE-2022-36109, CVE-2023-25173.
	Groups []uint32
	// Name and Home are those of the user's line in /etc/passwd, "" without one.
	Name, Home string
}

// Lookup finds a user in the /etc/passwd and /etc/group below root. The user is
// "", which is root, or NAME, UID, and after a colon GROUP or GID. With a group
// the user has no others; without one he has those that list his name. A number
// needs no line in the files, a name does. Errors: ErrInvalid, ErrUnknown, and
// those of reading the files.
// Compat(moby): the forms, and which groups each gives.
func Lookup(root *os.File, user string) (Identity, error) {
	want, err := parse(user)
	if err != nil {
		return Identity{}, fmt.Errorf("looking up user %q: %w", user, err)
	}
	id, err := want.find(root)
	if err != nil {
		return Identity{}, fmt.Errorf("looking up user %q: %w", user, err)
	}
	return id, nil
}

// find looks a user up in the files.
func (w wanted) find(root *os.File) (Identity, error) {
	passwd, err := read(root, passwdFile)
	if err != nil {
		return Identity{}, err
	}
	id, err := w.user.in(passwd)
	if err != nil {
		return Identity{}, err
	}
	if w.group.empty() && id.Name == "" {
		return id.alone(), nil
	}
	groups, err := read(root, groupFile)
	if err != nil {
		return Identity{}, err
	}
	if !w.group.empty() {
		id.GID, err = w.group.groupIn(groups)
		return id.alone(), err
	}
	return id.with(memberOf(groups, id.Name)), nil
}

// alone is the identity without further groups.
func (id Identity) alone() Identity { return id.with(nil) }

// with is the identity with groups besides its own.
func (id Identity) with(groups []uint32) Identity {
	id.Groups = []uint32{id.GID}
	for _, gid := range groups {
		if !slices.Contains(id.Groups, gid) {
			id.Groups = append(id.Groups, gid)
		}
	}
	return id
}

// Add gives an identity further groups, each a name in the /etc/group below root
// or a number. Errors are those of Lookup.
func (id Identity) Add(root *os.File, groups ...string) (Identity, error) {
	if len(groups) == 0 {
		return id, nil
	}
	data, err := read(root, groupFile)
	if err != nil {
		return id, fmt.Errorf("looking up groups: %w", err)
	}
	more := slices.Clone(id.Groups)
	for _, name := range groups {
		gid, err := groupNamed(data, name)
		if err != nil {
			return id, fmt.Errorf("looking up group %q: %w", name, err)
		}
		more = append(more, gid)
	}
	return id.with(more), nil
}

// groupNamed finds one group by a name or a number.
func groupNamed(data []byte, name string) (uint32, error) {
	part, err := parsePart(name)
	if err != nil {
		return 0, err
	}
	if part.empty() {
		return 0, fmt.Errorf("%w: it is empty", ErrInvalid)
	}
	return part.groupIn(data)
}

package users

import (
	"fmt"
	"slices"
	"strings"
)

// in finds a user in the text of a passwd file.
// Source: passwd(5): name:password:uid:gid:comment:home:shell.
func (p part) in(passwd []byte) (id Identity, err error) {
	found := false
	lines(passwd, 4, func(f []string) bool {
		uid, uidErr := parseID(f[2])
		if !p.isUser(f[0], uid, uidErr) {
			return true
		}
		found = true
		id, err = identityOf(f, uid, uidErr)
		return false
	})
	switch {
	case found || p.numeric || p.empty():
		if !found {
			id = Identity{UID: p.id}
		}
		return id, err
	}
	return Identity{}, fmt.Errorf("%w: /%s has no such user", ErrUnknown, passwdFile)
}

// isUser tells whether a line is that of the user. A line without a valid uid
// is no number's.
func (p part) isUser(name string, uid uint32, uidErr error) bool {
	if p.numeric || p.empty() {
		return uidErr == nil && uid == p.id
	}
	return name == p.name
}

// identityOf is what a line says of a user. That its numbers are none is an
// error, and not a user 0.
func identityOf(f []string, uid uint32, uidErr error) (Identity, error) {
	gid, err := parseID(f[3])
	if uidErr != nil {
		err = uidErr
	}
	if err != nil {
		return Identity{}, fmt.Errorf("line of %q in /%s: %w", f[0], passwdFile, err)
	}
	id := Identity{UID: uid, GID: gid, Name: f[0]}
	if len(f) > 5 {
		id.Home = f[5]
	}
	return id, nil
}

// groupIn finds a group in the text of a group file. A number needs no line.
// Source: group(5): name:password:gid:members.
func (p part) groupIn(data []byte) (gid uint32, err error) {
	if p.numeric {
		return p.id, nil
	}
	err = fmt.Errorf("%w: /%s has no such group", ErrUnknown, groupFile)
	lines(data, 3, func(f []string) bool {
		if f[0] != p.name {
			return true
		}
		if gid, err = parseID(f[2]); err != nil {
			err = fmt.Errorf("line of %q in /%s: %w", f[0], groupFile, err)
		}
		return false
	})
	return gid, err
}

// memberOf are the groups that list a user, in the file's order. A line without
// a valid number is nobody's group.
func memberOf(data []byte, user string) []uint32 {
	var gids []uint32
	lines(data, 4, func(f []string) bool {
		gid, err := parseID(f[2])
		if err == nil && slices.Contains(strings.Split(f[3], ","), user) {
			gids = append(gids, gid)
		}
		return true
	})
	return gids
}

package plan

import (
	"strings"

	"golang.org/x/sys/unix"
)

// mountOptions is what a mount's list of options means.
// Spec: config.md#linux-mount-options
type mountOptions struct {
	bind, recursive bool
	remount         bool
	named           bool   // any attribute is
	set, clear      uint64 // MOUNT_ATTR_* asked for and asked away
	atime           uint64 // MS_*ATIME asked for, before they become attributes
	recSet, recClr  uint64 // the same for the whole tree
	super           []string
	data            []string
	propagation     []uint64 // MS_SHARED and the like, with MS_REC
	copyUp          bool
	idmap, ridmap   bool
	idmapOption     string // crun's idmap=uids=...;gids=...
	sourceNoFollow  bool   // Compat(podman): sends copy-symlink for no-dereference
	destNoFollow    bool
}

// attrATime covers the atime setting, of which exactly one value holds.
const attrATime = unix.MOUNT_ATTR__ATIME

// attrOption is an option that sets or clears mount attributes; the same
// word with an r before it does so for the whole tree.
type attrOption struct {
	name       string
	set, clear uint64
}

var attrOptions = [...]attrOption{
	{"ro", unix.MOUNT_ATTR_RDONLY, 0},
	{"rw", 0, unix.MOUNT_ATTR_RDONLY},
	{"nosuid", unix.MOUNT_ATTR_NOSUID, 0},
	{"suid", 0, unix.MOUNT_ATTR_NOSUID},
	{"nodev", unix.MOUNT_ATTR_NODEV, 0},
	{"dev", 0, unix.MOUNT_ATTR_NODEV},
	{"noexec", unix.MOUNT_ATTR_NOEXEC, 0},
	{"exec", 0, unix.MOUNT_ATTR_NOEXEC},
	{"nosymfollow", unix.MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"symfollow", 0, unix.MOUNT_ATTR_NOSYMFOLLOW},
}

// atimeOption is an option of the atime setting: a flag of mount(2) that is
// asked for or taken back, and what the same word with an r before it does to
// the whole tree.
type atimeOption struct {
	name      string
	flag      uint64
	takenBack bool
	recursive attrOption
}

var atimeOptions = [...]atimeOption{
	{"nodiratime", unix.MS_NODIRATIME, false, attrOption{set: unix.MOUNT_ATTR_NODIRATIME}},
	{"diratime", unix.MS_NODIRATIME, true, attrOption{clear: unix.MOUNT_ATTR_NODIRATIME}},
	{"relatime", unix.MS_RELATIME, false, attrOption{clear: attrATime}},
	{"norelatime", unix.MS_RELATIME, true, attrOption{clear: attrATime}},
	{"noatime", unix.MS_NOATIME, false, attrOption{set: unix.MOUNT_ATTR_NOATIME, clear: attrATime}},
	{"atime", unix.MS_NOATIME, true, attrOption{clear: attrATime}},
	{"strictatime", unix.MS_STRICTATIME, false, attrOption{set: unix.MOUNT_ATTR_STRICTATIME, clear: attrATime}},
	{"nostrictatime", unix.MS_STRICTATIME, true, attrOption{clear: attrATime}},
}

// superOptions are flags of the file system itself, in fsconfig's words.
var superOptions = [...]string{
	"sync", "async", "dirsync", "lazytime", "nolazytime", "mand", "nomand",
}

// ignoredOptions have no effect that the new mount API could give them.
var ignoredOptions = [...]string{"defaults", "loud", "silent", "iversion", "noiversion"}

var propagationOptions = [...]struct {
	name string
	flag uint64
}{
	{"private", unix.MS_PRIVATE},
	{"slave", unix.MS_SLAVE},
	{"shared", unix.MS_SHARED},
	{"unbindable", unix.MS_UNBINDABLE},
}

// MountOptions lists the options that have a meaning to davit itself; all
// others are given to the file system.
func MountOptions() []string {
	words := []string{"bind", "rbind", "remount", "tmpcopyup", "idmap", "ridmap", "src-nofollow", "copy-symlink", "dest-nofollow"}
	for _, o := range attrOptions {
		words = append(words, o.name, "r"+o.name)
	}
	for _, o := range atimeOptions {
		words = append(words, o.name, "r"+o.name)
	}
	words = append(append(words, superOptions[:]...), ignoredOptions[:]...)
	for _, o := range propagationOptions {
		words = append(words, o.name, "r"+o.name)
	}
	return words
}

// parseMountOptions sorts a mount's options.
func parseMountOptions(options []string) mountOptions {
	var m mountOptions
	for _, word := range options {
		if !m.special(word) && !m.attribute(word) && !m.atimeFlag(word) && !m.propagate(word) && !m.superblock(word) {
			m.data = append(m.data, word)
		}
	}
	m.settleATime()
	return m
}

func (m *mountOptions) special(word string) bool {
	switch word {
	case "bind":
		m.bind = true
	case "rbind":
		m.bind, m.recursive = true, true
	case "remount":
		m.remount = true
	case "tmpcopyup":
		m.copyUp = true
	case "idmap":
		m.idmap = true
	case "ridmap":
		m.ridmap = true
	case "src-nofollow", "copy-symlink":
		m.sourceNoFollow = true
	case "dest-nofollow":
		m.destNoFollow = true
	default:
		value, found := strings.CutPrefix(word, "idmap=")
		if found {
			m.idmapOption = value
		}
		return found
	}
	return true
}

func (m *mountOptions) attribute(word string) bool {
	for _, o := range attrOptions {
		if word == o.name {
			m.named = true
			m.set, m.clear = change(m.set, m.clear, o)
			return true
		}
		if word[0] == 'r' && word[1:] == o.name {
			m.recSet, m.recClr = change(m.recSet, m.recClr, o)
			return true
		}
	}
	return false
}

func (m *mountOptions) atimeFlag(word string) bool {
	for _, o := range atimeOptions {
		if word == o.name {
			m.named = true
			m.atime &^= o.flag
			if !o.takenBack {
				m.atime |= o.flag
			}
			return true
		}
		if word[0] == 'r' && word[1:] == o.name {
			m.recSet, m.recClr = change(m.recSet, m.recClr, o.recursive)
			return true
		}
	}
	return false
}

// settleATime turns the flags into attributes as mount(2) does: any of them
// sets all that there is of atime, relatime where no other is asked for; none
// leaves all as it is. To take back what the mount has from its source, another
// setting must be asked for.
// Compat(runc): mount(8) has it so.
func (m *mountOptions) settleATime() {
	if m.atime == 0 {
		return
	}
	m.clear |= attrATime | unix.MOUNT_ATTR_NODIRATIME
	if m.atime&unix.MS_NODIRATIME != 0 {
		m.set |= unix.MOUNT_ATTR_NODIRATIME
	}
	switch {
	case m.atime&unix.MS_STRICTATIME != 0:
		m.set |= unix.MOUNT_ATTR_STRICTATIME
	case m.atime&unix.MS_NOATIME != 0:
		m.set |= unix.MOUNT_ATTR_NOATIME
	}
}

// change applies one more option to what the earlier ones said.
func change(set, clr uint64, o attrOption) (uint64, uint64) {
	set &^= o.clear
	clr &^= o.set &^ attrATime
	return set | o.set, clr | o.clear
}

func (m *mountOptions) propagate(word string) bool {
	for _, o := range propagationOptions {
		if word == o.name {
			m.propagation = append(m.propagation, o.flag)
			return true
		}
		if word[0] == 'r' && word[1:] == o.name {
			m.propagation = append(m.propagation, o.flag|unix.MS_REC)
			return true
		}
	}
	return false
}

func (m *mountOptions) superblock(word string) bool {
	for _, o := range superOptions {
		if word == o {
			m.super = append(m.super, word)
			return true
		}
	}
	for _, o := range ignoredOptions {
		if word == o {
			return true
		}
	}
	return false
}

// resettable are the attributes that a bind mount's options reset where they
// do not name them: `ro` alone makes a mount that is only read-only.
const resettable = lockable | unix.MOUNT_ATTR_NOSYMFOLLOW

// lockable are those that a user namespace cannot take from a mount of the host.
const lockable = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC

// reset gives the attributes to clear because the options do not name them.
func (m *mountOptions) reset() uint64 {
	if !m.named || m.remount {
		return 0
	}
	return resettable &^ m.set
}

// changes tells whether the options ask for another mount than the source's.
func (m *mountOptions) changes() bool { return m.set|m.clear|m.reset() != 0 }

package spec

import (
	"strings"

	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// maxMounts is the most mounts that a mount namespace can hold, fs.mount-max,
// unless the administrator raises it; masks and read-only paths are mounts.
const maxMounts = 100_000

// IsBind tells whether a mount is a bind mount: the options say it, whatever
// the type; or the type does.
// Compat(crun): the type alone.
//
// Spec: config.md#mounts
func IsBind(m *specs.Mount) bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

func checkMounts(s *specs.Spec) *Error {
	for i := range s.Mounts {
		if e := checkMount(&s.Mounts[i]); e != nil {
			return in(at("mounts", i), e)
		}
	}
	return nil
}

// checkMount takes a relative destination: it is one below "/".
func checkMount(m *specs.Mount) *Error {
	switch {
	case m.Destination == "":
		return refuse("destination", reasonMissing)
	case hasNUL(m.Destination):
		return refuse("destination", reasonNUL)
	case hasNUL(m.Type):
		return refuse("type", reasonNUL)
	case hasNUL(m.Source):
		return refuse("source", reasonNUL)
	case m.Type == "" && !IsBind(m) && !slices.Contains(m.Options, "remount"):
		return refuse("type", "must be given for a mount that is not a bind mount")
	}
	if e := checkNUL("options", m.Options); e != nil {
		return e
	}
	return checkBindOptions(m)
}

// checkBindOptions: the kernel ignores the data of a bind mount. A value such
// as mode=755 is warned about, but a bare word may be a misspelt nosuid.
func checkBindOptions(m *specs.Mount) *Error {
	if !IsBind(m) {
		return nil
	}
	for i, option := range m.Options {
		if !mountOption(option) && !strings.Contains(option, "=") {
			return refuse(at("options", i), shown(option)+": bind mounts cannot have any filesystem-specific options applied")
		}
	}
	return nil
}

// mountOption tells whether an option is for the runtime; others are data for
// the file system.
//
// Spec: config.md#linux-mount-options
func mountOption(option string) bool {
	switch option {
	case "async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "iversion", "lazytime", "loud", "mand",
		"noatime", "nodev", "nodiratime", "noexec", "noiversion", "nolazytime", "nomand", "norelatime", "nostrictatime",
		"nosuid", "nosymfollow", "rbind", "relatime", "remount", "ro", "rw", "silent", "strictatime", "suid", "symfollow", "sync":
		return true
	case "private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable":
		return true
	case "ratime", "rdev", "rdiratime", "rexec", "rnoatime", "rnodev", "rnodiratime", "rnoexec", "rnorelatime", "rnostrictatime",
		"rnosuid", "rnosymfollow", "rrelatime", "rro", "rrw", "rstrictatime", "rsuid", "rsymfollow":
		return true
	case "tmpcopyup", "idmap", "ridmap", "src-nofollow", "copy-symlink", "dest-nofollow":
		return true
	}
	return strings.HasPrefix(option, "idmap=")
}

func checkMountMappings(s *specs.Spec) *Error {
	_, userNamespace := Namespace(s, specs.UserNamespace)
	for i := range s.Mounts {
		m := &s.Mounts[i]
		if e := checkIDMap(m, userNamespace); e != nil {
			return in(at("mounts", i), e)
		}
	}
	return nil
}

// checkIDMap: a mount is mapped by its own mappings, or where an option asks
// for it by those of the container's user namespace.
func checkIDMap(m *specs.Mount, userNamespace bool) *Error {
	option := slices.Contains(m.Options, "idmap") || slices.Contains(m.Options, "ridmap")
	given := m.UIDMappings != nil || m.GIDMappings != nil
	switch {
	case !option && !given:
		return nil
	case !IsBind(m):
		return refuse("options", "id-mapped mounts are only supported for bind-mounts")
	case !given && !userNamespace:
		return refuse("options", "id-mapped mounts need mappings, or a user namespace that has some")
	case !given:
		return nil
	case len(m.UIDMappings) == 0:
		return refuse("uidMappings", "id-mapped mounts must have both uid and gid mappings specified")
	case len(m.GIDMappings) == 0:
		return refuse("gidMappings", "id-mapped mounts must have both uid and gid mappings specified")
	}
	if e := checkMappings("uidMappings", m.UIDMappings); e != nil {
		return e
	}
	return checkMappings("gidMappings", m.GIDMappings)
}

func checkMountCount(s *specs.Spec) *Error {
	l := linux(s)
	if n := len(s.Mounts) + len(l.MaskedPaths) + len(l.ReadonlyPaths); n > maxMounts {
		return refuse("mounts", strconv.Itoa(n)+" mounts, masked and read-only paths are too many: a mount namespace holds "+strconv.Itoa(maxMounts))
	}
	return nil
}

package spec

import (
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// maxUTSName is the most bytes that a hostname or domainname can have.
const maxUTSName = 64

// maxMappings is the most lines that the kernel takes in a uid_map.
const maxMappings = 340

// Namespace tells whether a configuration lists a namespace, and the file of
// the namespace to join; an empty path means a new namespace.
//
// Spec: config-linux.md#namespaces
func Namespace(s *specs.Spec, kind specs.LinuxNamespaceType) (path string, present bool) {
	if s.Linux == nil {
		return "", false
	}
	for i := range s.Linux.Namespaces {
		if ns := &s.Linux.Namespaces[i]; ns.Type == kind {
			return ns.Path, true
		}
	}
	return "", false
}

func checkNamespaces(s *specs.Spec) *Error {
	list := linux(s).Namespaces
	for i := range list {
		field := at("linux.namespaces", i)
		if !knownNamespace(list[i].Type) {
			return refuse(field+".type", shown(string(list[i].Type))+" is not a namespace type")
		}
		for _, other := range list[:i] {
			if other.Type == list[i].Type {
				return refuse(field+".type", "duplicated namespace "+shown(string(list[i].Type)))
			}
		}
		if list[i].Path != "" {
			if e := checkPath(field+".path", list[i].Path); e != nil {
				return e
			}
		}
	}
	return nil
}

func knownNamespace(kind specs.LinuxNamespaceType) bool {
	switch kind {
	case specs.PIDNamespace, specs.NetworkNamespace, specs.MountNamespace, specs.UserNamespace,
		specs.IPCNamespace, specs.UTSNamespace, specs.CgroupNamespace, specs.TimeNamespace:
		return true
	}
	return false
}

// checkUserNamespace allows mappings beside a path: containerd and CRI-O give
// both. Whether they agree is seen on the host.
func checkUserNamespace(s *specs.Spec) *Error {
	l := linux(s)
	path, present := Namespace(s, specs.UserNamespace)
	switch mapped := len(l.UIDMappings) > 0 || len(l.GIDMappings) > 0; {
	case !present && mapped:
		return refuse("linux.uidMappings", "user namespace mappings need a user namespace")
	case present && path == "" && len(l.UIDMappings) == 0:
		return refuse("linux.uidMappings", "a new user namespace needs mappings")
	case present && path == "" && len(l.GIDMappings) == 0:
		return refuse("linux.gidMappings", "a new user namespace needs mappings")
	}
	if e := checkMappings("linux.uidMappings", l.UIDMappings); e != nil {
		return e
	}
	return checkMappings("linux.gidMappings", l.GIDMappings)
}

// checkMappings refuses what the kernel refuses of a uid_map: too many lines,
// empty ones, ids beyond 32 bits, and overlaps on either side.
func checkMappings(field string, list []specs.LinuxIDMapping) *Error {
	if len(list) > maxMappings {
		return refuse(field, strconv.Itoa(len(list))+" mappings are too many: the kernel takes "+strconv.Itoa(maxMappings))
	}
	for i, m := range list {
		switch {
		case m.Size == 0:
			return refuse(at(field, i)+".size", "must be greater than zero")
		case m.ContainerID+m.Size < m.ContainerID, m.HostID+m.Size < m.HostID:
			return refuse(at(field, i), "the range ends beyond the greatest id, 4294967294")
		}
		for j, o := range list[:i] {
			if overlap(m.ContainerID, o.ContainerID, m.Size, o.Size) || overlap(m.HostID, o.HostID, m.Size, o.Size) {
				return refuse(at(field, i), "overlaps with "+at(field, j))
			}
		}
	}
	return nil
}

func overlap(a, b, aSize, bSize uint32) bool {
	return a < b+bSize && b < a+aSize
}

// mapsID tells whether an id of the container has one on the host.
func mapsID(list []specs.LinuxIDMapping, id uint32) bool {
	for _, m := range list {
		if id >= m.ContainerID && id-m.ContainerID < m.Size {
			return true
		}
	}
	return false
}

// checkMappedUser: the program's ids must exist in a new user namespace.
func checkMappedUser(s *specs.Spec) *Error {
	path, present := Namespace(s, specs.UserNamespace)
	if s.Process == nil || !present || path != "" {
		return nil
	}
	user := &s.Process.User
	if !mapsID(s.Linux.UIDMappings, user.UID) {
		return refuse("process.user.uid", unmapped("uid", user.UID))
	}
	if !mapsID(s.Linux.GIDMappings, user.GID) {
		return refuse("process.user.gid", unmapped("gid", user.GID))
	}
	return nil
}

func unmapped(kind string, id uint32) string {
	return "unmapped " + kind + " " + strconv.FormatUint(uint64(id), 10) + " in user namespace"
}

func checkTimeNamespace(s *specs.Spec) *Error {
	offsets := linux(s).TimeOffsets
	if len(offsets) == 0 {
		return nil
	}
	switch path, present := Namespace(s, specs.TimeNamespace); {
	case !present:
		return refuse("linux.timeOffsets", "time offsets need a time namespace")
	case path != "":
		return refuse("linux.timeOffsets", "a time namespace that is joined keeps its own offsets")
	}
	for _, clock := range sortedKeys(offsets) {
		field := keyed("linux.timeOffsets", clock)
		if clock != "monotonic" && clock != "boottime" {
			return refuse(field, `not a clock of a time namespace: "monotonic" and "boottime" are`)
		}
		if offsets[clock].Nanosecs > 999_999_999 {
			return refuse(field+".nanosecs", "must be less than a second")
		}
	}
	return nil
}

func checkHostname(s *specs.Spec) *Error {
	return checkUTSName(s, "hostname", s.Hostname)
}

func checkDomainname(s *specs.Spec) *Error {
	return checkUTSName(s, "domainname", s.Domainname)
}

func checkUTSName(s *specs.Spec, field, name string) *Error {
	_, private := Namespace(s, specs.UTSNamespace)
	switch {
	case name == "":
		return nil
	case !private:
		return refuse(field, "unable to set "+field+" without a private UTS namespace")
	case len(name) > maxUTSName:
		return refuse(field, "must not be longer than 64 bytes")
	case hasNUL(name):
		return refuse(field, reasonNUL)
	}
	return nil
}

package spec

import (
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Error says which field breaks which section of the specification, and how.
type Error struct {
	Document string // that was decoded; "config.json" where empty
	Field    string // such as "linux.namespaces[2].type"
	Section  string // such as "config-linux.md#namespaces"
	Reason   string
}

// Error is one line.
func (e *Error) Error() string {
	document := e.Document
	if document == "" {
		document = "config.json"
	}
	return document + ": " + e.Field + ": " + e.Reason + " (" + e.Section + ")"
}

// check is one rule, or the few rules of one field, with the section of the
// specification that it comes from. It returns the first failure, its field
// relative to the value checked, its section empty.
type check[T any] struct {
	name    string
	section string
	run     func(*T) *Error
}

// checks are the rules for a configuration, in the order in which they are
// asked. Rules of the specification that need to see the host (files that
// must exist, kernel features, cgroup versions) are not here.
var checks = [...]check[specs.Spec]{
	{"version", "config.md#specification-version", checkVersion},
	{"root", "config.md#root", checkRoot},
	{"namespaces", "config-linux.md#namespaces", checkNamespaces},
	{"user namespace", "config-linux.md#user-namespace-mappings", checkUserNamespace},
	{"time namespace", "config-linux.md#offset-for-time-namespace", checkTimeNamespace},
	{"hostname", "config.md#hostname", checkHostname},
	{"domainname", "config.md#domainname", checkDomainname},
	{"mounts", "config.md#mounts", checkMounts},
	{"mount mappings", "config.md#posix-platform-mounts", checkMountMappings},
	{"number of mounts", "config.md#mounts", checkMountCount},
	{"mapped user", "config.md#posix-platform-user", checkMappedUser},
	{"hooks", "config.md#posix-platform-hooks", checkHooks},
	{"annotations", "config.md#annotations", checkAnnotations},
	{"devices", "config-linux.md#devices", checkDevices},
	{"network devices", "config-linux.md#network-devices", checkNetDevices},
	{"cgroups path", "config-linux.md#cgroups-path", checkCgroupsPath},
	{"swap", "config-linux.md#memory", checkSwap},
	{"rootfs propagation", "config-linux.md#rootfs-mount-propagation", checkPropagation},
	{"masked paths", "config-linux.md#masked-paths", checkMaskedPaths},
	{"read-only paths", "config-linux.md#readonly-paths", checkReadonlyPaths},
	{"mount label", "config-linux.md#mount-label", checkMountLabel},
	{"sysctl", "config-linux.md#sysctl", checkSysctl},
	{"seccomp", "config-linux.md#seccomp", checkSeccomp},
	{"personality", "config-linux.md#personality", checkPersonality},
	{"memory policy", "config-linux.md#memory-policy", checkMemoryPolicy},
	{"intel rdt", "config-linux.md#intelrdt", checkIntelRdt},
}

// Validate returns the first rule of the specification that a configuration
// for Linux breaks, as *Error. It refuses nothing that runc 1.5 runs, unless
// the specification says MUST. A configuration without process is valid (it
// can be created, not started); ValidateProcess refuses it.
//
// Spec: config.md
func Validate(s *specs.Spec) error {
	if e := firstFailure(s, checks[:]); e != nil {
		return e
	}
	if s.Process != nil {
		if e := firstFailure(s.Process, processChecks[:]); e != nil {
			return in("process", e)
		}
	}
	if s.Linux != nil && s.Linux.Resources != nil {
		if e := firstFailure(s.Linux.Resources, resourceChecks[:]); e != nil {
			return in("linux.resources", e)
		}
	}
	return nil
}

// ValidateProcess returns the first rule that a process breaks that stands
// alone, or is about to be started, as *Error: nil is refused.
//
// Spec: config.md#process
func ValidateProcess(p *specs.Process) error {
	if p == nil {
		return &Error{Field: "process", Section: "config.md#process", Reason: "must be given: there is nothing to start"}
	}
	if e := firstFailure(p, processChecks[:]); e != nil {
		e.Document = "process.json"
		return e
	}
	return nil
}

// ValidateResources returns the first rule that resources break that stand
// alone, as for an update, as *Error.
//
// Spec: config-linux.md#control-groups
func ValidateResources(r *specs.LinuxResources) error {
	if e := firstFailure(r, resourceChecks[:]); e != nil {
		e.Document = "resources.json"
		return e
	}
	return nil
}

// ValidateMounts returns the first rule that mounts break that are added to a
// container with the configuration s, as *Error.
//
// Spec: config.md#mounts
func ValidateMounts(mounts []specs.Mount, s *specs.Spec) error {
	added := specs.Spec{Mounts: mounts, Linux: s.Linux}
	for _, c := range checks {
		switch c.name {
		case "mounts", "mount mappings", "number of mounts":
			if e := firstFailure(&added, []check[specs.Spec]{c}); e != nil {
				e.Document = "mounts.json"
				return e
			}
		}
	}
	return nil
}

func firstFailure[T any](v *T, list []check[T]) *Error {
	for i := range list {
		if e := list[i].run(v); e != nil {
			e.Section = list[i].section
			return e
		}
	}
	return nil
}

// refuse is a failure of a field.
func refuse(field, reason string) *Error {
	return &Error{Field: field, Reason: reason}
}

// in puts a failure's field inside another one.
func in(outer string, e *Error) *Error {
	if e != nil {
		e.Field = outer + "." + e.Field
	}
	return e
}

// at names an element of a list.
func at(list string, index int) string {
	return list + "[" + strconv.Itoa(index) + "]"
}

// keyed names an element of a map.
func keyed(object, key string) string {
	return object + "[" + shown(key) + "]"
}

const (
	reasonMissing  = "must be given"
	reasonAbsolute = "must be an absolute path"
	reasonNUL      = "must not hold a NUL byte"
)

func hasNUL(s string) bool {
	return strings.IndexByte(s, 0) >= 0
}

// checkPath refuses what is not an absolute path.
func checkPath(field, path string) *Error {
	switch {
	case path == "":
		return refuse(field, reasonMissing)
	case path[0] != '/':
		return refuse(field, reasonAbsolute+", got "+shown(path))
	case hasNUL(path):
		return refuse(field, reasonNUL)
	}
	return nil
}

// checkNUL refuses lists of strings that could not be given to execve(2).
func checkNUL(field string, list []string) *Error {
	for i, s := range list {
		if hasNUL(s) {
			return refuse(at(field, i), reasonNUL)
		}
	}
	return nil
}

// linux is the Linux section, empty where there is none.
func linux(s *specs.Spec) *specs.Linux {
	if s.Linux == nil {
		return &specs.Linux{}
	}
	return s.Linux
}

// sortedKeys makes the first failure in a map the same one every time.
func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

package spec

import specs "github.com/opencontainers/runtime-spec/specs-go"

// checkRoot wants a path; whether a directory is there is not ours to see.
func checkRoot(s *specs.Spec) *Error {
	switch {
	case s.Root == nil:
		return refuse("root", reasonMissing)
	case s.Root.Path == "":
		return refuse("root.path", reasonMissing)
	case hasNUL(s.Root.Path):
		return refuse("root.path", reasonNUL)
	}
	return nil
}

// checkPropagation knows the words of mount(8); the specification lists four
// of them, and runc takes the recursive spellings too.
func checkPropagation(s *specs.Spec) *Error {
	switch value := linux(s).RootfsPropagation; value {
	case "", "private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable":
		return nil
	default:
		return refuse("linux.rootfsPropagation", shown(value)+" is not a propagation mode")
	}
}

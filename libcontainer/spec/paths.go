package spec

import specs "github.com/opencontainers/runtime-spec/specs-go"

func checkMaskedPaths(s *specs.Spec) *Error {
	return checkRestricted(s, "linux.maskedPaths", linux(s).MaskedPaths)
}

func checkReadonlyPaths(s *specs.Spec) *Error {
	return checkRestricted(s, "linux.readonlyPaths", linux(s).ReadonlyPaths)
}

// checkRestricted refuses to mount over paths of the host.
func checkRestricted(s *specs.Spec, field string, paths []string) *Error {
	if len(paths) == 0 {
		return nil
	}
	if _, private := Namespace(s, specs.MountNamespace); !private {
		return refuse(field, "unable to restrict paths without a private mount namespace")
	}
	for i, path := range paths {
		if e := checkPath(at(field, i), path); e != nil {
			return e
		}
	}
	return nil
}

// checkCgroupsPath leaves the form, a path or slice:prefix:name, to the
// cgroup driver.
func checkCgroupsPath(s *specs.Spec) *Error {
	if hasNUL(linux(s).CgroupsPath) {
		return refuse("linux.cgroupsPath", reasonNUL)
	}
	return nil
}

func checkMountLabel(s *specs.Spec) *Error {
	return checkLabel("linux.mountLabel", linux(s).MountLabel)
}

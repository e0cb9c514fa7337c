package spec

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// checkVersion wants a version of the specification's first major release:
// all of them are compatible with each other, those to come included.
func checkVersion(s *specs.Spec) *Error {
	major, ok := semanticMajor(s.Version)
	switch {
	case s.Version == "":
		return refuse("ociVersion", reasonMissing)
	case !ok:
		return refuse("ociVersion", shown(s.Version)+" is not a SemVer 2.0.0 version")
	case major != "1":
		return refuse("ociVersion", shown(s.Version)+" is not supported: only 1.x.y is")
	}
	return nil
}

// semanticMajor is the major number of a SemVer 2.0.0 version.
func semanticMajor(version string) (major string, ok bool) {
	version, build, hasBuild := strings.Cut(version, "+")
	core, pre, hasPre := strings.Cut(version, "-")
	if hasBuild && !identifiers(build, true) || hasPre && !identifiers(pre, false) {
		return "", false
	}
	numbers := strings.Split(core, ".")
	if len(numbers) != 3 {
		return "", false
	}
	for _, n := range numbers {
		if !digits(n) || leadingZero(n) {
			return "", false
		}
	}
	return numbers[0], true
}

// identifiers tells whether a string is a pre-release or build part.
func identifiers(s string, leadingZeros bool) bool {
	for _, id := range strings.Split(s, ".") {
		if strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" || id == "" {
			return false
		}
		if !leadingZeros && digits(id) && leadingZero(id) {
			return false
		}
	}
	return true
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func leadingZero(s string) bool {
	return len(s) > 1 && s[0] == '0'
}

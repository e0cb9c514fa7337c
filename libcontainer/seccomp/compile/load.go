package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/seccomp"
)

// Load gives the filter of a profile; none (seccomp.Filter.Empty) where there
// is no profile. Names that libseccomp does not know are skipped.
//
// It looks in the directory cacheDir first and puts there what it compiled;
// cacheDir is made, with mode 0700, in a parent that exists, and "" is no
// cache. A cache that is damaged, foreign or unusable is not an error, only
// slower. Errors are *seccomp.FieldError (the profile), *UnsupportedError
// (the kernel), or say why the compiler could not run.
func Load(p *specs.LinuxSeccomp, cacheDir string) (seccomp.Filter, error) {
	return load(p, cacheDir, seccomp.SkipUnknownNames)
}

// LoadStrict is Load, but a name that libseccomp does not know is an error.
// Compat(crun): annotation run.oci.seccomp_fail_unknown_syscall.
func LoadStrict(p *specs.LinuxSeccomp, cacheDir string) (seccomp.Filter, error) {
	return load(p, cacheDir, seccomp.FailUnknownNames)
}

func load(p *specs.LinuxSeccomp, cacheDir string, unknown seccomp.UnknownNames) (seccomp.Filter, error) {
	if !seccomp.Enabled(p) {
		return seccomp.Filter{}, nil
	}
	if err := seccomp.Check(p); err != nil {
		return seccomp.Filter{}, err
	}
	flags, err := usableFlags(p)
	if err != nil {
		return seccomp.Filter{}, err
	}
	filter, err := find(p, cacheDir, unknown)
	if err != nil {
		return seccomp.Filter{}, err
	}
	filter.Flags = flags
	return filter, nil
}

// find looks into the cache, or compiles and stores.
func find(p *specs.LinuxSeccomp, cacheDir string, unknown seccomp.UnknownNames) (seccomp.Filter, error) {
	canonical := seccomp.Canonical(p, unknown)
	if len(canonical) > seccomp.MaxCanonical {
		return seccomp.Filter{}, &seccomp.FieldError{Field: "linux.seccomp",
			Reason: fmt.Sprintf("the profile has more than %d bytes", seccomp.MaxCanonical)}
	}
	sum := sha256.Sum256(canonical)
	entry := cacheEntry{cacheDir, hex.EncodeToString(sum[:]), stamp(sum)}
	if filter, ok := entry.load(); ok {
		return filter, nil
	}
	filter, err := compileProfile(p, canonical, unknown)
	if err != nil {
		return seccomp.Filter{}, err
	}
	entry.store(filter)
	return filter, nil
}

// stamp joins a profile's hash and the compiler's identity: an entry of
// another libseccomp is not taken, but replaced.
func stamp(profile [sha256.Size]byte) [sha256.Size]byte {
	return sha256.Sum256(append(profile[:], compilerID()...))
}

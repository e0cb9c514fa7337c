//go:build cgo

package compile

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/seccomp"
	"github.com/davit-containers/davit/libcontainer/seccomp/libseccomp"
)

// Version is the version of libseccomp that compiles, such as "2.5.4".
func Version() (string, error) { return libseccomp.Version(), nil }

// compilerID tells the filters of one compiler from those of another.
func compilerID() []byte { return []byte("libseccomp " + libseccomp.Version()) }

// compileProfile calls libseccomp.
func compileProfile(p *specs.LinuxSeccomp, _ []byte, unknown seccomp.UnknownNames) (seccomp.Filter, error) {
	return libseccomp.Compile(p, unknown)
}

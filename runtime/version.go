package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/seccomp/compile"
)

// version is davit's version, after Semantic Versioning.
const version = "0.1.0"

// commit is the revision that davit was built from, "" when it was not built
// in a repository.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	revision, suffix := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			suffix = "-dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + suffix
}

// printVersion prints what engines read line by line: "NAME version V", then
// "key: value".
// Compat(moby): it shows version and commit in docker info.
func (p *program) printVersion() error {
	fmt.Fprintf(p.out, "%s version %s\n", p.name, version)
	fmt.Fprintf(p.out, "commit: %s\n", commitOr("unknown"))
	fmt.Fprintf(p.out, "spec: %s\n", specs.Version)
	fmt.Fprintf(p.out, "go: %s\n", runtime.Version())
	if v, err := compile.Version(); err == nil {
		fmt.Fprintf(p.out, "libseccomp: %s\n", v)
	}
	return nil
}

// commitOr is the commit, or a word for none.
func commitOr(none string) string {
	if c := commit(); c != "" {
		return c
	}
	return none
}

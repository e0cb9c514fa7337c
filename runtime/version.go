package main

import (
	"fmt"
	"runtime"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/libcontainer/seccomp/compile"
)

// version is davit's.
const version = libcontainer.Version

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
	if c := libcontainer.Commit(); c != "" {
		return c
	}
	return none
}

// Command davit is a low-level OCI runtime: it makes, starts, signals and
// removes containers from bundles, one operation a call, for an engine or for
// a person. Each command is one file here; what a command does to a container
// is in package libcontainer.
//
// It is not for pulling images or for keeping an eye on containers: that is
// the work of the shim's programs.
//
// It lives for milliseconds on one thread, so that it does not ask how many
// processors its own cgroup leaves it.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import "os"

func main() {
	os.Exit(newProgram(os.Args[0]).run(os.Args[1:]))
}

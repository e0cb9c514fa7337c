// Command davit-shim runs containers of images without a daemon, with the words that
// Docker taught: it fetches, builds and keeps images, makes containers and bundles of
// them, and has a supervisor watch each container that runs. Each command is one file
// here; what it does is in the packages beside this one and below bundle.
//
// It is not for making containers of bundles: that is the work of davit, or of
// another runtime.
package main

import "os"

func main() {
	if args := os.Args[1:]; isSupervisor(args) {
		os.Exit(beSupervisor(args))
	}
	os.Exit(newProgram().run(os.Args[1:]))
}

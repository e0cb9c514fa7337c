// Command davit-shim brings images to this machine, keeps them, and makes
// bundles of them for a runtime, without a daemon and with the words that Docker
// taught. Each command is one file here; what it does to images is in the
// packages below bundle.
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

// Package compile gives the compiled filter of a seccomp profile: from a cache
// of files, or from libseccomp. Built with cgo it calls libseccomp; built
// without, it runs the embedded compiler program, which `make build` makes.
// It also knows what the running kernel supports.
//
// It is not for loading a filter: the stage does that.
package compile

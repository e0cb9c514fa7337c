// Package libseccomp compiles seccomp profiles with the libseccomp library,
// through its Go binding.
//
// It needs cgo; without cgo the package is empty. It is not for programs that
// start containers: cgo costs them a millisecond at every start, and package
// seccomp/compile runs this package in a program of its own.
package libseccomp

// Package programs holds the static C programs that containers get from us: an
// init of a few kilobytes for --init, and what the image hello-world says.
//
// It is not for programs that run outside of containers.
package programs

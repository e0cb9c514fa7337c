// Package shim is the root of the programs that stay beside running
// containers: they supervise them, and report how they ended.
//
// It is not for making containers, which is package libcontainer's work, nor
// for unpacking images, which is package bundle's.
package shim

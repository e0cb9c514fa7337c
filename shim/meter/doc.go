// Package meter shows how far work on images has come: as bars on a terminal,
// as a line for each step elsewhere, or as JSON, one event a line.
//
// It is not for what a command has to say in the end: that is on standard output.
package meter

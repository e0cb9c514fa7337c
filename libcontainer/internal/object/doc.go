// Package object reads and writes JSON objects field by field, without
// reflection: the first use of encoding/json in a process costs a quarter of a
// container's start.
//
// It is for files that this program writes itself, not for what others write:
// the configuration has its own decoder in package spec.
package object

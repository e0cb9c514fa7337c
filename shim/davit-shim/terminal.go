package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// isTerminal tells whether a person is at the other end of a stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// errNoTerminal is an input that could not be typed into a process's terminal: it has
// an end, and terminals have none.
// Compat(moby): its words.
var errNoTerminal = errors.New("the input device is not a TTY [leave out -t, and the program reads a pipe or a file]")

// checkTerminal wants standard input to be a terminal where it is to be a process's.
func (p *program) checkTerminal(stdin, terminal bool) error {
	if stdin && terminal && !isTerminal(p.in) {
		return errNoTerminal
	}
	return nil
}

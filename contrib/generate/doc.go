// Package generate makes the completions and the manual pages in contrib from
// the commands that a program has, so that what is installed says what the
// program does. The tests of each program call it.
//
// It is not for programs: what it writes is committed.
package generate

// Package state keeps what a runtime must remember of a container between two
// commands: one directory for each container below a root, and in it one file.
//
//	<root>/            0711, of whoever made it
//	<root>/<id>/       0700, claimed by making it, locked by flock(2) on it
//	  state.json       0600, replaced as a whole, never changed in place
//
// A process may be killed at any instant of any function here: what is left is
// a container that [Open] reads, or one of which it says [ErrIncomplete], and
// (*Dir).Remove removes both.
//
// The package does not know what a container is doing: whether the process of
// [State] still lives is for the caller to find out (pid and start time say
// which process is meant). It is not a database, and not for configuration:
// State.Config is carried, never read.
package state

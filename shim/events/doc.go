// Package events notes what happens to containers, images, networks and
// volumes, and tells those who ask, also while it goes on.
//
// Any number of processes append, each a line of JSON to a file below the
// store's root, and read, without a daemon between them. What is kept is
// bounded: the newest file and the one before it, of 4 MiB at most. Events are for people and for
// scripts that watch; nothing of davit's depends on one, and one may be lost
// when the machine is.
//
// The package is not for a container's output, which is package logs', nor for
// what a supervisor tells its clients.
package events

// Package engine supervises containers: it has them made, waits for their
// processes, moves their streams, and loses nothing of that when it is killed.
//
// One goroutine, a loop's, owns everything. What a process may be asked to do
// stands in a table, state by operation (states.go). What takes time is done by
// a goroutine for as long as it takes, while the process is in a state that
// says so; operations that have to wait for that do.
//
// What happens is written to a journal in the container's bundle, before
// anybody is told: a line per event, of which the state can be made again. A
// supervisor that is killed is started again by its keeper (package keeper),
// reads the journals, and goes on. Journals are not synced to a disk: they
// outlive the supervisor, and the machine's processes do not outlive the
// machine.
//
// A process is waited for by its pidfd, and reaped by waitid(2) of that pidfd
// alone: nobody's child is taken from him. How a process ended that is not a
// child of this supervisor, because another supervisor or another runtime's
// command started it, the keeper says.
//
// It is not for protocols: package task translates containerd's.
package engine

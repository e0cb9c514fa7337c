// Package keeper holds the parent of a supervisor: a static C program of a few
// ten kilobytes, which starts the supervisor again when it dies, gives it back
// the descriptors that it had, and writes down how processes ended that were
// nobody's children meanwhile.
//
// A supervisor can be killed, run out of memory, crash or be replaced; what it
// supervises goes on, with its streams, and no exit status is lost. The keeper
// has nothing to crash on: no heap, no parsing, one loop. It is the child
// subreaper of everything below it, so that also a container that another
// runtime's command made, and whose parent has therefore ended, is waited for.
//
// A supervisor that has nothing to do may sleep: it ends, and the keeper
// starts another when there is something to read, or a process has ended.
//
// It is not for deciding anything.
package keeper

// Package loop waits for everything a supervisor waits for, in one goroutine:
// descriptors, times, and results of work that others do.
//
// All of a program's state belongs to the loop's goroutine, so nothing needs a
// lock; what takes time is done by a goroutine of its own, for as long as it
// takes, whose result comes back by Post. A descriptor costs an entry in an
// epoll set, where a goroutine would cost a stack.
//
// It is not for throughput on many processors.
package loop

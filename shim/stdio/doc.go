// Package stdio connects a supervised process's standard streams with what its
// owner named for them: FIFOs, files, logging programs, through pipes or a
// terminal.
//
// Bytes are moved by splice(2) where a pipe is at one end, so that they never
// are in this process's memory, and so that a supervisor that is killed takes
// none with it. Everything is non-blocking and belongs to a loop.
//
// The other ends may also be in this process (Own): then outputs go to files in
// memory, from which their owner reads, and the same holds of them.
//
// It is not for attaching to streams, nor for formats of logs.
package stdio

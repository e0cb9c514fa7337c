// Package sys names the system calls of a container's life that
// golang.org/x/sys/unix leaves raw: pidfds that are waited for, sockets that
// carry descriptors, sealed programs in memory, and paths of any length.
//
// It decides nothing: no policy, no configuration, no state. What is already a
// good call in x/sys/unix belongs there and is not repeated here. It is not for
// use outside libcontainer.
package sys

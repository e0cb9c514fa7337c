// Package supervise is the supervisor of one container of davit-shim, and the
// client of it.
//
// There is no daemon: whoever starts a container starts a keeper (package keeper)
// with a supervisor (package engine, on one loop) below it, which are there until
// the container has ended and is not to be started again. The supervisor writes
// the log, serves those who attach, runs health checks, starts the container again
// by its policy, and writes what becomes of it to the container's directory before
// it tells anybody. Killed at any moment, it comes back and goes on; clients find
// it again by themselves. The same way it comes back from sleep: while there is
// nothing to do, only the keeper is there.
//
// What a container writes is moved by the kernel from its pipe to a file in memory
// that the keeper holds, and only let go of when the log has it and everybody who
// is attached. A client that reads nothing may hold up the container for a while,
// and then misses what it did not read.
//
// It is not for making containers, nor for what is on disk of them: package
// container. Networks and volumes come in as functions (Host).
package supervise

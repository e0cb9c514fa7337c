// Package engines has the tests of davit under the engines that people use:
// containerd with its shim, Podman with conmon, and Docker. Each engine is
// Debian's, runs with its state in a temporary directory, in a mount and a
// network namespace of its own, and is ended by its pid.
//
// It is not for what an engine does by itself, nor for what the command lines'
// own tests show.
package engines

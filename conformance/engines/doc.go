// Package engines has the tests of davit's shim under containerd, which is
// Debian's, runs with its state in a temporary directory, in a mount and a
// network namespace of its own, and is ended by its pid.
//
// It is not for what an engine does by itself, nor for engines that call davit by
// its command line: see conformance/scenarios.
package engines

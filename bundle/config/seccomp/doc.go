// Package seccomp has the filter that a container gets when nobody asks for
// another: a list of the system calls that ordinary programs use. It lets through
// what Docker's default does, and refuses the rest: among them io_uring, sockets
// of AF_ALG and of AF_VSOCK, new user namespaces, and what needs a capability
// that the container does not have.
//
// Profiles that people write are loaded too, in the specification's form and in
// Docker's. It is not for compiling a profile, which is the runtime's work.
//
// Source: https://github.com/moby/profiles, seccomp/default.json at cd3bed8. The
// data here is our own; a test compares what the two let through.
package seccomp

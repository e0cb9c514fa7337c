// Package rootpath opens files below a container's root file system from the
// host's side, by descriptors, and tells why a program there cannot start.
//
// A path of the container has the type [InRoot], so that it cannot reach
// os.Open by mistake: its links, and its "..", are resolved by the kernel with
// the root as the end of the world (openat2(2), RESOLVE_IN_ROOT), never by
// comparing strings. It is not for paths of the host, and it makes nothing: the
// container's mounts and devices are made inside it.
package rootpath

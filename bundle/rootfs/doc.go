// Package rootfs puts unpacked layers together to a container's root file
// system: as an overlayfs mount (Mount, Unmount), or, where the kernel or the
// user's rights allow none, as a plain directory that holds the same files
// (Plain). Probe tells which of them a directory is good for.
//
// A writable layer is a directory of its own (MakeWritable), so that what a
// container changed can be found again: see package diff.
//
// It is not for unpacking layers (package layer), nor for choosing where they
// lie (package store): it takes directories as they are. It mounts nothing but
// overlayfs, and unmounts nothing but its own mounts.
package rootfs

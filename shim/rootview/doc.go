// Package rootview opens the root of a container's files, as the container sees
// them, with its volumes and what else is mounted in it, whether it runs or not.
//
// Of a container that runs it is that of its first process. For one that does not
// run, the root file system and what config.json mounts of the host are put
// together in a namespace of mounts that nobody else has, and that is gone when
// the view is closed. Everything is mounted by descriptors: a place to mount on is
// resolved by the kernel inside of the root.
//
//	CVE-2026-42306  volumes were mounted onto names that the container could change
//
// It is not for running a container, whose mounts the runtime makes: file systems
// of the kernel and memory are not in the view of one that does not run.
package rootview

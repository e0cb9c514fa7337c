// Package treecopy copies files and directories between two places, one of which
// is a container whose processes change it meanwhile, as docker cp does; or it
// makes a tar archive of them, or takes one.
//
// A place is an open directory, and every path of a confined place is resolved by
// the kernel below it, links included: openat2(2), RESOLVE_IN_ROOT. From then on
// there are descriptors, and names of one component that are never followed. So
// what a container makes of its files leads to other content of the container at
// most. Nothing of the container is executed, and no name of it looked up in its
// libraries.
//
//	CVE-2018-15664  a path was checked, and then resolved again by name
//	CVE-2019-14271  libraries of the container were loaded by the copying process
//	CVE-2021-41089  permissions of files outside were changed
//	CVE-2026-42306  volumes were mounted onto names that the container could change
//
// It is not for layers of images, whose entries mean more than files.
package treecopy

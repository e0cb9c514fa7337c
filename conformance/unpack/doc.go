// Command unpack measures tools that unpack images, side by side: wall time, the
// same until all is on disk, processor time, and peak memory.
//
//	unpack -images LAYOUT [-rounds N] [-only TOOL,...] NAME=PATH [OTHER=PATH...]
//
// LAYOUT is an OCI image layout as conformance/images writes it; NAME=PATH is a
// program with the command line of davit-shim, OTHER=PATH one that is called with
// LAYOUT IMAGE DIR. umoci, podman, skopeo, containerd and tar are taken from $PATH.
// It needs root.
//
// Each run has a new ext4 with a journal, on a loop device, and nothing is removed
// from it: creating files after a large removal is slow, and would be the next
// tool's loss. Before each run its input is read and memory is touched, so that
// no tool pays for what was given back to the host. The tools take turns, and
// another begins each round. Compare ratios, not times.
//
// It is not a test of what they unpack.
package main

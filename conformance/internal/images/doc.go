// Package images makes images of Debian's packages to try tools on: busybox, one
// layer with little in it; debian, ten layers with more than a gigabyte and all that
// layers can have: whiteouts, an opaque directory, replaced files and directories,
// hard links, file capabilities, a sparse file, and a file below a directory that is a
// link in a lower layer; and small, which has all that, a hard link across layers, and
// few packages, which are taken from this machine.
//
// It is not for images that anybody runs: packages are unpacked and not
// configured.
package images

// Command images makes images of Debian's packages to try tools on: busybox, one
// layer with little in it, and debian, ten layers with more than a gigabyte and
// all that layers can have: whiteouts, an opaque directory, replaced files and
// directories, hard links, file capabilities, a sparse file, and a file below a directory that is a link in a lower layer.
//
//	images -o DIR [-cache DIR] [busybox|debian]...
//
// writes an OCI image layout with each image compressed with gzip and with zstd,
// under the names busybox-gzip, busybox-zstd, and so on. It needs apt-get and
// dpkg-deb, and no root.
//
// It is not for images that anybody runs: packages are unpacked and not
// configured.
package main

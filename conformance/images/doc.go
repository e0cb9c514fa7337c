// Command images makes images of Debian's packages to try tools on: busybox, debian
// and small, as conformance/internal/images has them.
//
//	images -o DIR [-cache DIR] [busybox|debian|small]...
//
// writes an OCI image layout with each image compressed with gzip and with zstd,
// under the names busybox-gzip, busybox-zstd, and so on. It needs apt-get and
// dpkg-deb, but for small, and no root.
package main

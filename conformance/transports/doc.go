// Package transports takes an image through every source and sink that davit-shim
// has, and compares the unpacked trees, entry by entry, with what umoci and tar unpack:
// OCI layouts in a directory and in an archive, Docker's archives of now and of old, and
// a registry; gzip and zstd; overlayfs and plain directories; save and load; commit.
//
// Among other tests it does so with an image of a few megabytes. The same with the
// large one of conformance/images, on file systems of its own, is make images:
//
//	go test ./conformance/transports -image debian -disk
//
// It is not for what may be in a layer: that is in the tests of bundle/layer.
package transports

// Package diff makes layers: it finds what differs between two trees of files,
// and writes it as a layer's tar, deterministically: the same trees give the
// same bytes. A tree is a plain directory, or what several layers show together
// (Source); the usual pair is the layers of an image, and the same with a
// container's writable layer on top. Export writes a whole tree. Writer
// compresses, and computes the digests on the way.
//
// Overlayfs' whiteouts and opaque directories are read in all their forms;
// what is written are the specification's whiteouts, one for each name that has
// gone, and never an opaque mark: that is understood by every unpacker, and the
// same whichever way the trees are stored.
//
// It is not for unpacking (package layer), nor for images (package store).
//
// Spec (image-spec): layer.md#creating, layer.md#whiteouts
package diff

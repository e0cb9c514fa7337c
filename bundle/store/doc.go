// Package store keeps images and their unpacked layers in a directory, for
// several processes at once and against a kill at any moment.
//
//	images/   an OCI image layout, which other tools may read
//	layers/   unpacked layers, each with all below it named by one chain ID
//	holds/    what keeps an image and its layers from being collected, by name
//	cache/    what steps of builds came to, by what they depended on
//	work/     what operations that run now have in hand
//	lock      is held shared to take something into use, exclusively to remove
//
// What is in images and layers is whole: it was verified and written to disk
// before it was renamed there; but for a layer that a build has made just now, which
// says itself that it is lost if the machine goes down. What is in work belongs to a process that holds a
// lock on it, or to nobody, and then the next operation removes it; half a blob
// stays until the next [Store.Collect], so that a download can go on.
//
// It is not for fetching images (see packages registry, archive and layout
// below package image) and not for mounting layers (see package rootfs).
//
// Spec: github.com/opencontainers/image-spec: image-layout.md
package store

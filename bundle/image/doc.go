// Package image is the checked view of a container image: its manifest, its
// configuration and the descriptors of its layers, from wherever they come.
// What does not hold together is refused before anything of it is used.
//
// It is not for fetching (packages registry, archive and layout below this one
// do), for keeping (package store) or for unpacking (package layer).
//
// Spec: github.com/opencontainers/image-spec: manifest.md, image-index.md, config.md
package image

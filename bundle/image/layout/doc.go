// Package layout reads images from an OCI image layout, in a directory or in
// whatever else has files by name, and writes one into a directory.
//
// It is not for a layout that others write meanwhile: package store keeps one
// that is safe for several processes.
//
// Spec: github.com/opencontainers/image-spec: image-layout.md
package layout

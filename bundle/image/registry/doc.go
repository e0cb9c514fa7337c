// Package registry pulls images from registries and pushes them there. It
// speaks to the mirrors that are configured, goes on with a download where it
// broke off, and gives credentials to nobody but the registry that they are for.
//
// It is not for keeping what it fetches: package store asks it for blobs, and
// verifies them.
//
// Spec: github.com/opencontainers/distribution-spec: spec.md
package registry

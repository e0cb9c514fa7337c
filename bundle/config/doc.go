// Package config turns an image's configuration and what a person wants into the
// config.json of a bundle.
//
// It decides by value: it opens nothing and asks the machine nothing, so what it
// makes is told by its arguments alone. Who the process runs as is looked up
// before, by package users; paths that the image names are handed on as data, to
// be resolved below the root by whoever carries them out.
//
// An image is not trusted. Nothing in it chooses what a runtime does outside the
// container: its labels become no annotations, its volumes no mounts.
//
// It is not for making root file systems, and not for running anything.
package config

// Package build makes images of Dockerfiles, in a store, without a daemon: each
// step of a plan (package dockerfile) is carried out in a root file system made
// of the layers so far, and what it changed becomes a layer. What a step came to
// is remembered by what it depended on, so that it is done once.
//
// Everything that is read is hostile: the context, the Dockerfile, the base image
// and what steps leave behind. Files are opened by descriptors, below a root, and
// what a program was given beside its files (mounts, secrets) is in no layer.
//
// The process that builds is to be alone (package rootless): what is mounted and
// what runs then ends with it, also when it is killed.
//
// It is not for reading Dockerfiles, nor for showing how far a build is: it only
// tells (Report).
package build

// Package idmap gives user namespaces their mappings of user and group ids: a
// container's own, written for its process, and those that idmapped mounts ask
// for, which no process lives in.
//
// It does not choose a container's mappings: they are the configuration's. It is
// not for shifting ids in files.
package idmap

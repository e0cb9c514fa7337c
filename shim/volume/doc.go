// Package volume keeps volumes: directories that outlive the containers they
// are mounted in.
//
// A volume is a directory below the store's root: its files in _data, what is
// known of it in volume.json, and an empty file in users for each container
// that has it. It appears and disappears by one rename, so that a kill at any
// moment leaves a volume whole or not there at all.
//
// The container's side of a volume is hostile. At its first use a volume is
// filled with what the image has at that place, file by file and by descriptors
// only: no name is resolved a second time, no link is followed, and what others
// make of the image's tree meanwhile leads to other content at most, never to
// files outside. The copy is made beside the volume's directory, and takes its
// place when it is complete.
//
// One lock guards the store, and one each volume while it is filled. The
// package mounts nothing, and knows of a container no more than its id.
package volume

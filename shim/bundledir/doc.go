// Package bundledir makes bundles of images of the store, and knows them again: a
// directory with config.json and rootfs, as the specification has it, and beside
// them the writable layer and a record of what the bundle is made of.
//
//	DIR/config.json   for the runtime
//	DIR/rootfs        the root file system: a mount, or a plain directory
//	DIR/writable      the layer that is written to, below a mount
//	DIR/bundle.json   the record
//
// The record is written first, so that whatever a killed process left can be
// removed, and once more at the end, when all of it is known. A hold in the store keeps the image while the bundle is there.
//
// It is not for running bundles.
package bundledir

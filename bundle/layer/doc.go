// Package layer turns an image layer, a compressed tar archive, into files.
//
// [Open] decompresses a layer's blob and verifies it. What comes out is
// unpacked in one of two forms that show the same files:
//
//   - The overlay form ([Unpack], then [Unsettled.Settle]): a directory for each
//     layer, as overlayfs takes them. Layers unpack side by side, each without
//     the others; settling then does what depends on the layers below.
//   - The plain form ([Plain]): layers one after the other into one directory.
//
// A layer is hostile. Paths are resolved in a tree in memory of what this layer
// made, never by the kernel following links, and files are made by directory
// descriptors: nothing in an archive, and nobody who changes the directory
// meanwhile, leads outside of it. Memory is bounded, whatever the archive says.
//
// Both forms mean this: a layer first removes what its whiteouts name, from the
// layers below only, wherever in the archive they stand; then its entries are
// laid over what is left, in their order.
//
// It is not for reading images (which layers there are, and in which order), for
// mounting, or for writing layers. Nothing is synced to disk: one syncfs after
// all is cheaper than an fsync for each file.
//
// Spec: image-spec layer.md
package layer

// Package assembly puts containers together from what other packages keep, and
// takes them apart: the record and the name (container), the bundle with the root
// file system and config.json (bundledir), volumes, the files by which names are
// found (network), an init (programs).
//
// Whatever is made is named in the container's record before, so that a killed
// process leaves nothing that Sweep does not find.
//
// The package runs nothing: that is package supervise's.
package assembly

// Package bundle is the root of what turns an image into a bundle: a root file
// system and a config.json, ready for a runtime.
//
// It is not for running anything, and it knows nothing about runtimes: what a
// bundle is stands in the specification, and the shim's programs join the two.
//
// Spec: bundle.md
package bundle

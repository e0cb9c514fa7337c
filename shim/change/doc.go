// Package change reads the instructions of a Dockerfile that change an image's
// configuration alone, such as CMD and ENV, as commit and import take them.
//
// It is not for building images: what runs or copies is no change of this kind.
package change

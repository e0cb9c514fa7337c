// Package change applies the instructions of a Dockerfile that change an image's
// configuration alone, such as CMD and ENV: those of a file that is built, and
// those that commit and import take.
//
// It is not for building images: what runs or copies is no change of this kind.
package change

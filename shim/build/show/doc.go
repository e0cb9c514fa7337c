// Package show shows how far a build is: on a terminal what is being done now and
// what came of the rest, and elsewhere a line for all that happens.
//
// It is not for what a build comes to in the end: that is on standard output.
package show

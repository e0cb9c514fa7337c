// Package conformance is the root of the programs that judge and measure an
// OCI runtime by its command line, whichever runtime it is.
//
// It is not for testing davit's insides. Nothing below it imports another
// package of this module, so that davit is judged as any other runtime.
package conformance

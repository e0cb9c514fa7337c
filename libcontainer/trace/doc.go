// Package trace records how long the phases of one call took, and writes them
// as JSON that chrome://tracing, Perfetto and whoever reads W3C trace contexts
// understand; docs/trace.md describes the file.
//
// A nil *Recorder records nothing, and costs nothing but a comparison: code
// that can be traced need not ask whether it is. It is no client of a tracing
// service: nothing is sent anywhere.
package trace

// Package task is containerd's face of an engine: its task service (versions 2
// and 3), its sandbox service, and the events that it is told of.
//
// It translates, and decides nothing: which operation is possible when is the
// engine's.
package task

// Package rest makes a process small that has nothing to do: it gives back what
// Go's heap has free, and the pages of the program's file that are mapped.
//
// A supervisor works for a moment and then rests for days, and there is one beside
// every pod. What it needs again meanwhile comes from the page cache.
//
// It is not for bounding what a process at work may take.
package rest

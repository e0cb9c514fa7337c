// Package tree reads trees of files that others wrote, by descriptor: each name
// is looked up in a directory that is held open, and no link is ever followed.
// Dir is such a directory, View is what several layers show one over the other,
// as overlayfs would show it.
//
// It is not for layers as tars, and it changes no file.
package tree

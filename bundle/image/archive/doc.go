// Package archive reads images from tar archives, those of `docker save` and
// OCI image layouts, and writes archives that are both.
//
// It is not for layers, which are tar archives too: see package layer.
package archive

// Package treetest is for tests of what makes root file systems: it reads a tree of
// files entry by entry, tells in words where two trees differ, and makes layers
// and trees from a list of items.
//
// It is not for anything but tests. It trusts the tree that it reads: nobody
// else may be writing to it.
package treetest

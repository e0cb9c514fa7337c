// Package statefile keeps small files that must survive a kill at any moment:
// each is replaced whole or not at all, and processes that change them take
// turns by a lock that ends with its holder.
//
// It is not for files that a container can write to, nor for files that others
// hold open and see change.
package statefile

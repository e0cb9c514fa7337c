// Package listing prints what a command has found, as Docker prints it: a table,
// a template of text/template, or JSON, one object a line; and it reads the
// filters that say which of it is shown.
//
// It is not for finding anything, nor for progress.
package listing

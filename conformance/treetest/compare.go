package treetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Ignore says of a field at a path that it may differ.
type Ignore func(path, field string) bool

// IgnoreFields ignores these fields everywhere.
func IgnoreFields(fields ...string) Ignore {
	return func(_, field string) bool { return slices.Contains(fields, field) }
}

// IgnoreXattrs ignores the extended attributes whose names begin so.
func IgnoreXattrs(prefix string) Ignore {
	return func(_, field string) bool { return strings.HasPrefix(field, FieldXattr+prefix) }
}

// IgnorePath ignores these fields of one path; with none, the path altogether.
func IgnorePath(path string, fields ...string) Ignore {
	return func(p, field string) bool {
		return p == path && (len(fields) == 0 || slices.Contains(fields, field))
	}
}

// maxShown is how many differences a failure lists.
const maxShown = 50

// Equal fails the test where the trees at two directories differ, and lists
// the differences.
func Equal(tb testing.TB, got, want string, ignore ...Ignore) {
	tb.Helper()
	EqualTrees(tb, Read(tb, got), Read(tb, want), ignore...)
}

// EqualTrees is Equal of trees that were read before.
func EqualTrees(tb testing.TB, got, want Tree, ignore ...Ignore) {
	tb.Helper()
	differences := Compare(got, want, ignore...)
	if len(differences) == 0 {
		return
	}
	shown := differences[:min(len(differences), maxShown)]
	tb.Errorf("the trees differ in %d places:\n\t%s", len(differences), strings.Join(shown, "\n\t"))
}

// Compare lists where two trees differ, a line each, in the order of the paths.
func Compare(got, want Tree, ignore ...Ignore) []string {
	paths := map[string]bool{}
	for p := range got {
		paths[p] = true
	}
	for p := range want {
		paths[p] = true
	}
	var differences []string
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		for _, d := range compareAt(p, got, want) {
			if !slices.ContainsFunc(ignore, func(i Ignore) bool { return i(p, d.field) }) {
				differences = append(differences, fmt.Sprintf("%s: %s: %s", p, d.field, d.text))
			}
		}
	}
	return differences
}

// difference is one field that differs.
type difference struct{ field, text string }

// compareAt are the differences at one path.
func compareAt(p string, got, want Tree) []difference {
	g, inGot := got[p]
	w, inWant := want[p]
	switch {
	case !inGot:
		return []difference{{FieldEntry, "missing, want a " + w.fields()[0][1]}}
	case !inWant:
		return []difference{{FieldEntry, "unexpected " + g.fields()[0][1]}}
	}
	var found []difference
	wanted := w.fields()
	for i, f := range g.fields() {
		if f[1] != wanted[i][1] {
			found = append(found, difference{f[0], fmt.Sprintf("got %s, want %s", f[1], wanted[i][1])})
		}
	}
	return append(found, compareXattrs(g.Xattrs, w.Xattrs)...)
}

// compareXattrs are the differences of two sets of extended attributes.
func compareXattrs(got, want map[string]string) []difference {
	all := maps.Clone(got)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, want)
	var found []difference
	for _, name := range slices.Sorted(maps.Keys(all)) {
		g, inGot := got[name]
		w, inWant := want[name]
		switch {
		case !inGot:
			found = append(found, difference{FieldXattr + name, fmt.Sprintf("missing, want %q", w)})
		case !inWant:
			found = append(found, difference{FieldXattr + name, fmt.Sprintf("unexpected %q", g)})
		case g != w:
			found = append(found, difference{FieldXattr + name, fmt.Sprintf("got %q, want %q", g, w)})
		}
	}
	return found
}

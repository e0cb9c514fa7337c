package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// near is the word that somebody may have meant who wrote another, "" for none: one
// that it begins, or that is a letter away, of longer words two.
func near(written string, words []string) (best string) {
	for _, w := range words {
		if len(written) > 2 && strings.HasPrefix(w, written) {
			return w
		}
	}
	least := min(2, len(written)/2)
	if len(written) < 4 {
		least = min(1, least)
	}
	for _, w := range words {
		if d := distance(written, w); d <= least {
			best, least = w, d-1
		}
	}
	return best
}

// distance is how many letters are to be added, left out, replaced or exchanged with
// the next to make one word of another.
func distance(a, b string) int {
	above, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	before := above
	for i := range len(a) {
		before, above, row = above, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(above[j]+change, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

// nearFlag is the flag that somebody may have meant: also of -name, with one dash.
func nearFlag(cmd *cobra.Command, unknown *pflag.NotExistError) string {
	written := unknown.GetSpecifiedName()
	if letters := unknown.GetSpecifiedShortnames(); letters != "" {
		written = letters
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if len(written) < 2 {
		return ""
	}
	return near(written, names)
}

package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// table has values by what is measured and by shim.
type table struct {
	shims  []shim
	rows   []string
	values map[string]map[shim][]float64
}

func newTable(shims []shim) *table {
	return &table{shims: shims, values: map[string]map[shim][]float64{}}
}

func (t *table) add(row string, s shim, value float64) {
	if t.values[row] == nil {
		t.rows = append(t.rows, row)
		t.values[row] = map[shim][]float64{}
	}
	t.values[row][s] = append(t.values[row][s], value)
}

// print prints medians, and how they compare with the first shim's.
func (t *table) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for i, s := range t.shims {
		fmt.Fprint(w, "\t", s.runtime)
		if i > 0 {
			fmt.Fprint(w, "\tratio")
		}
	}
	fmt.Fprintln(w, "\t")
	for _, row := range t.rows {
		fmt.Fprint(w, row)
		first := median(t.values[row][t.shims[0]])
		for i, s := range t.shims {
			m := median(t.values[row][s])
			fmt.Fprintf(w, "\t%.2f", m)
			if i > 0 {
				fmt.Fprintf(w, "\t%.2f", m/first)
			}
		}
		fmt.Fprintln(w, "\t")
	}
	return w.Flush()
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

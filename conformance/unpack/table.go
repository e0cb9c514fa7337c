package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// printTable prints the medians, and beside them how many times as much as that
// of the first tool of the same kind.
func printTable(w io.Writer, image string, in input, tools []tool, results map[string][]result) {
	fmt.Fprintf(w, "\n%s: %d layers, %.1f MB compressed; median of %d\n", image, len(in.layers), float64(in.bytes)/1e6, rounds(results))
	t := tabwriter.NewWriter(w, 0, 1, 2, ' ', 0)
	fmt.Fprintln(t, "tool\twall s\t\ton disk s\t\tcpu s\t\tpeak MB\t")
	base := map[string]result{}
	for _, tool := range tools {
		rs := results[tool.name]
		if len(rs) == 0 {
			fmt.Fprintf(t, "%s\tnot there, or failed\n", tool.name)
			continue
		}
		m := medians(rs)
		_, kind, _ := strings.Cut(tool.name, " ")
		if _, ok := base[kind]; !ok {
			base[kind] = m
		}
		b := base[kind]
		fmt.Fprintf(t, "%s\t%.2f\t%s\t%.2f\t%s\t%.2f\t%s\t%.0f\t%s\n", tool.name,
			m.wall.Seconds(), times(m.wall, b.wall), m.onDisk.Seconds(), times(m.onDisk, b.onDisk),
			m.cpu.Seconds(), times(m.cpu, b.cpu), float64(m.peak)/1024, times(m.peak, b.peak))
	}
	t.Flush()
}

// times is how many times b a is.
func times[T ~int64](a, b T) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("x%.2f", float64(a)/float64(b))
}

func rounds(results map[string][]result) int {
	n := 0
	for _, rs := range results {
		n = max(n, len(rs))
	}
	return n
}

// medians are those of each figure.
func medians(rs []result) result {
	return result{
		wall:   median(rs, func(r result) time.Duration { return r.wall }),
		onDisk: median(rs, func(r result) time.Duration { return r.onDisk }),
		cpu:    median(rs, func(r result) time.Duration { return r.cpu }),
		peak:   median(rs, func(r result) int64 { return r.peak }),
	}
}

func median[T cmp.Ordered](rs []result, of func(result) T) T {
	values := make([]T, len(rs))
	for i, r := range rs {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// printTable prints what the runtimes did in one scenario.
func printTable(w io.Writer, s scenario, rows []result, baselines []string) {
	if s.name == "events" {
		printEvents(w, rows)
		return
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if s.name == "memory-floor" {
		fmt.Fprintln(out, "\tKiB\t")
	} else {
		high := fmt.Sprintf("p%.0f", 100*s.high())
		fmt.Fprintln(out, "\twall ms\tp10\t"+high+"\tcpu ms\tp10\t"+high+"\tpeak MB\t"+ratioHeads(rows, baselines))
	}
	for _, r := range rows {
		if r.err == nil {
			fmt.Fprintf(out, "%s\t%s\n", r.peer, figures(s, r, rows, baselines))
		}
	}
	out.Flush()
	printFailures(w, rows)
}

// printFailures says which runtimes have no figures, and why.
func printFailures(w io.Writer, rows []result) {
	for _, r := range rows {
		if r.err != nil {
			fmt.Fprintf(w, "%s: failed: %v\n", r.peer, r.err)
		}
	}
}

// figures are the cells of one runtime.
func figures(s scenario, r result, rows []result, baselines []string) string {
	if r.floorKiB > 0 {
		return fmt.Sprintf("%d\t", r.floorKiB)
	}
	cells := []string{
		ms(median(r.wall)), ms(quantile(r.wall, 0.1)), ms(quantile(r.wall, s.high())),
		ms(median(r.cpu)), ms(quantile(r.cpu, 0.1)), ms(quantile(r.cpu, s.high())),
		mib(r.peakKiB),
	}
	for _, b := range present(rows, baselines) {
		cells = append(cells, ratio(median(r.wall), median(b.wall)), ratio(median(r.cpu), median(b.cpu)))
	}
	return strings.Join(cells, "\t") + "\t"
}

// ratioHeads are the heads of the ratio columns.
func ratioHeads(rows []result, baselines []string) string {
	var heads strings.Builder
	for _, b := range present(rows, baselines) {
		fmt.Fprintf(&heads, "wall/%s\tcpu/%s\t", b.peer, b.peer)
	}
	return heads.String()
}

// present are the results of those baselines that have figures.
func present(rows []result, baselines []string) []result {
	var found []result
	for _, name := range baselines {
		i := slices.IndexFunc(rows, func(r result) bool { return r.peer == name && len(r.wall) > 0 && r.err == nil })
		if i >= 0 {
			found = append(found, rows[i])
		}
	}
	return found
}

// mib is the median of figures in KiB.
func mib(kib []int) string {
	if len(kib) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(median(kib))/1024)
}

// ms is a time in milliseconds.
func ms(d time.Duration) string {
	return fmt.Sprintf("%.2f", d.Seconds()*1000)
}

// ratio is a over b.
func ratio(a, b time.Duration) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(a)/float64(b))
}

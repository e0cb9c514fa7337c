package main

import (
	"cmp"
	"slices"
)

// quantile is the value below which a share q (0 to 1) of the samples lies, by
// nearest rank. It is the zero value for no samples.
func quantile[T cmp.Ordered](samples []T, q float64) T {
	if len(samples) == 0 {
		var zero T
		return zero
	}
	sorted := slices.Sorted(slices.Values(samples))
	rank := int(q*float64(len(sorted)-1) + 0.5)
	return sorted[rank]
}

// median is the middle sample.
func median[T cmp.Ordered](samples []T) T { return quantile(samples, 0.5) }

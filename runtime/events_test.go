package main

import (
	"testing"
	"time"
)

func TestNextTick(t *testing.T) {
	last := time.Now()
	const interval = 5 * time.Second
	for _, test := range []struct {
		name      string
		now, want time.Duration // after the last
	}{
		{"at once", time.Millisecond, interval},
		{"just in time", interval, interval},
		{"late", interval + time.Millisecond, 2*interval + time.Millisecond},
		{"nobody has read for long", 100*interval + time.Second, 101*interval + time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := nextTick(last, interval, last.Add(test.now)); got.Sub(last) != test.want {
				t.Errorf("got %v, want %v", got.Sub(last), test.want)
			}
		})
	}
}

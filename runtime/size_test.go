package main

import "testing"

func TestParseSize(t *testing.T) {
	tests := []struct {
		text string
		want int64
	}{
		{"0", 0}, {"1024", 1024}, {"1b", 1}, {"50M", 50 << 20}, {"50mb", 50 << 20}, {"50MiB", 50 << 20},
		{"1.5k", 1536}, {"1 g", 1 << 30}, {"2t", 2 << 40}, {"1p", 1 << 50}, {".5k", 512}, {"32.", 32},
		{"", -1}, {"m", -1}, {"-1", -1}, {"1x", -1}, {"1ki", -1}, {"1kk", -1}, {"1bb", -1}, {"1i", -1}, {"1ib", -1},
		{"nan", -1}, {"inf", -1}, {"9000000p", -1}, {"1 2", -1},
	}
	for _, tt := range tests {
		got, err := parseSize(tt.text)
		if err != nil {
			got = -1
		}
		if got != tt.want {
			t.Errorf("%q: got %d, %v, want %d", tt.text, got, err, tt.want)
		}
	}
}

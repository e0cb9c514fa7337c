package main

import (
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	tests := []struct {
		text string
		want int64
	}{
		{"0", 0}, {"1024", 1024}, {"1b", 1}, {"50M", 50 << 20}, {"50mb", 50 << 20}, {"50MiB", 50 << 20},
		{"1.5k", 1536}, {"1 g", 1 << 30}, {"2t", 2 << 40}, {"1p", 1 << 50}, {".5k", 512}, {"32.", 32},
		{"", -1}, {"m", -1}, {"-1", -1}, {"1x", -1}, {"1ki", -1}, {"1kk", -1}, {"1bb", -1}, {"1i", -1}, {"1ib", -1},
		{"nan", -1}, {"inf", -1}, {"9000000p", -1}, {"1 2", -1},
		{"1  k", -1}, {" 1", -1}, {"1k ", -1}, {" ", -1}, {"k 1", -1},
		{"Ⱥ", -1}, {"1Ⱥ", -1}, {"Ⱥ1", -1}, {"1kȺ", -1}, {"ȺȺȺȺbb", -1}, {"1\xff", -1}, // ToLower makes these longer
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

func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"1024", "1.5GiB", "1 g", "-1", "0x1p3", "1e3k", "9000000p", "1x", "Ⱥ", "1kȺ", "İ", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		size, err := parseSize(text)
		if size < 0 || err != nil && (size != 0 || !strings.HasPrefix(err.Error(), "invalid s")) {
			t.Errorf("%q: got %d, %v", text, size, err)
		}
		if upper, upperErr := parseSize(strings.ToUpper(text)); err == nil && (upper != size || upperErr != nil) {
			t.Errorf("%q: got %d, in upper case %d, %v", text, size, upper, upperErr)
		}
	})
}

package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// parseSize reads a number of bytes, such as 1024, 64m, 1.5GiB; a unit is a
// power of 1024 whatever its spelling. One space may stand before it.
// Compat(docker): docker/go-units, which runc uses.
func parseSize(text string) (int64, error) {
	end := strings.LastIndexAny(text, "0123456789. ") + 1
	digits, unit := strings.TrimSuffix(text[:end], " "), text[end:]
	number, err := strconv.ParseFloat(digits, 64)
	if err != nil || number < 0 || math.IsInf(number, 0) || math.IsNaN(number) {
		return 0, fmt.Errorf("invalid size: '%s'", text)
	}
	factor, ok := sizeUnit(strings.ToLower(unit))
	if !ok {
		return 0, fmt.Errorf("invalid suffix: '%s'", unit)
	}
	number *= factor
	if number >= math.MaxInt64 {
		return 0, fmt.Errorf("invalid size: '%s' is too large", text)
	}
	return int64(number), nil
}

// sizeUnit is the number of bytes that a unit stands for: k, kb, kib.
func sizeUnit(unit string) (float64, bool) {
	if unit == "" || unit == "b" {
		return 1, true
	}
	exponent := strings.IndexByte("kmgtp", unit[0]) + 1
	switch unit[1:] {
	case "", "b", "ib":
		return math.Pow(1024, float64(exponent)), exponent > 0
	}
	return 0, false
}

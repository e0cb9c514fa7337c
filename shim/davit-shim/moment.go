package main

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// moment is a time, or one so long ago: what --since, --until and filters take.
// Compat(moby): the forms.
func moment(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	if t, ok := unixTime(text); ok {
		return t, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("neither a time such as 2006-01-02T15:04:05 nor an age such as 10h")
}

// unixTime is of seconds since 1970, with up to nine digits behind the point.
func unixTime(text string) (time.Time, bool) {
	whole, part, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(part) > 9 {
		return time.Time{}, false
	}
	nanos, err := strconv.ParseUint((part + "000000000")[:9], 10, 32)
	return time.Unix(seconds, int64(nanos)), err == nil
}

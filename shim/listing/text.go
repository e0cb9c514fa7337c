package listing

import (
	"strings"
	"time"

	"github.com/docker/go-units"
)

// None stands for a name that there is not.
// Compat(moby): its text.
const None = "<none>"

// Short is the beginning of an ID, as people write it.
func Short(id string) string {
	const length = 12
	_, hex, ok := strings.Cut(id, ":")
	if !ok {
		hex = id
	}
	return hex[:min(length, len(hex))]
}

// Ago is how long ago something was: "3 days ago"; "N/A" for what has no time.
func Ago(t, now time.Time) string {
	if t.IsZero() {
		return "N/A"
	}
	return units.HumanDuration(now.Sub(t)) + " ago"
}

// At is a time as Docker writes it.
func At(t time.Time) string {
	if t.IsZero() {
		return "N/A"
	}
	return t.Local().Format("2006-01-02 15:04:05 -0700 MST")
}

// Size is a number of bytes: "1.23MB".
func Size(n int64) string { return units.HumanSizeWithPrecision(float64(n), 3) }

// Cut is the beginning of a text of one line, with an ellipsis where there is more.
func Cut(text string, length int) string {
	runes := []rune(text)
	if len(runes) <= length {
		return text
	}
	return string(runes[:length-1]) + "…"
}

// Line is a text without what moves a terminal's cursor or changes its colours.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

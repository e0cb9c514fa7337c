package generate

import "testing"

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		`a\b`: `a\eb`, ".x": `\&.x`, "'x": `\(aqx`, "--a": `\-\-a`,
	} {
		if got := escape(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

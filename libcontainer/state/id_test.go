package state

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckID(t *testing.T) {
	const rule = "invalid container ID format: "
	const charset = " holds more than letters, digits, '_', '+', '-' and '.'"
	tests := []struct{ name, id, want string }{
		{"letters, digits and signs", "aZ09_+-.", ""},
		{"dash first", "-a", ""},
		{"longest", strings.Repeat("a", 255), ""},
		{"too long", strings.Repeat("a", 256), rule + "256 bytes are too many, 255 are allowed"},
		{"far too long", strings.Repeat("a", 1025), rule + "1025 bytes are too many, 255 are allowed"},
		{"empty", "", rule + "it is empty"},
		{"dot", ".", rule + `"." starts with a dot`},
		{"dot dot", "..", rule + `".." starts with a dot`},
		{"hidden", ".new", rule + `".new" starts with a dot`},
		{"slash", "a/b", rule + `"a/b"` + charset},
		{"climbing", "a/../../b", rule + `"a/../../b"` + charset},
		{"newline", "a\nb", rule + `"a\nb"` + charset},
		{"NUL", "a\x00b", rule + `"a\x00b"` + charset},
		{"not ASCII", "é", rule + `"é"` + charset},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckID(tt.id)
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if err == nil || err.Error() != tt.want || !errors.Is(err, ErrInvalidID) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

package sys

import (
	"os"
	"testing"
)

func TestParseStat(t *testing.T) {
	const rest = " S 41 1 1 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 98765 1 2 3"
	tests := []struct {
		name, line string
		want       Stat
		ok         bool
	}{
		{"plain", "42 (sh)" + rest, Stat{'S', 41, 98765}, true},
		{"spaces and parentheses in the name", "42 (a) R 9 (b c)" + rest, Stat{'S', 41, 98765}, true},
		{"newline in the name", "42 (a\nb)" + rest + "\n", Stat{'S', 41, 98765}, true},
		{"empty", "", Stat{}, false},
		{"no name", "42 S 41", Stat{}, false},
		{"truncated", "42 (sh) S 41 1 1", Stat{}, false},
		{"start time is no number", "42 (sh) S 41 1 1 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 x", Stat{'S', 41, 0}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parseStat([]byte(tt.line))
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %+v, %v, want %+v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestProcStatOfSelf(t *testing.T) {
	st, err := ProcStat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if st.PPid != os.Getppid() || st.StartTime == 0 || st.Gone() {
		t.Errorf("got %+v, parent %d", st, os.Getppid())
	}
}

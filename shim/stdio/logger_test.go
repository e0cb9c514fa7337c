package stdio

import (
	"strings"
	"testing"
	"time"
)

// A logging program has a bounded time to be ready, and how it says so is its
// protocol's.
func TestAwaitReady(t *testing.T) {
	for _, c := range []struct {
		name, scheme string
		says, closes bool
		want         string // of the error
	}{
		{"it closes", schemeBinary, false, true, ""},
		{"it says so", schemeBinaryV2, true, false, ""},
		{"it closes and had to say so", schemeBinaryV2, false, true, "it may have ended"},
		{"neither", schemeBinary, false, false, "has not said within"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, w, err := pipe(0, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			if c.says {
				_, err = w.Write([]byte{0})
			}
			if c.closes {
				err = w.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			err = awaitReady(r, c.scheme, 50*time.Millisecond)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

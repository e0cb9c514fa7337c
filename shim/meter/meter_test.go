package meter

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-containers/davit/bundle/progress"
)

const (
	one = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	two = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
)

// story are events of two layers.
func story() []progress.Event {
	return []progress.Event{
		{Phase: progress.Resolving, Layer: "docker.io/library/x:latest"},
		{Phase: progress.Downloading, Layer: one, Done: 1, Total: 2000000},
		{Phase: progress.Exists, Layer: two, Done: 5, Total: 5},
		{Phase: progress.Downloading, Layer: one, Done: 2, Total: 2000000},
		{Phase: progress.Downloading, Layer: one, Done: 1000000, Total: 2000000},
		{Phase: progress.Downloaded, Layer: one, Done: 2000000, Total: 2000000},
		{Phase: progress.Unpacked, Layer: one, Done: 2000000, Total: 2000000},
	}
}

// told is what a meter shows of the story, whose events are 40 ms apart.
func told(t *testing.T, mode string) string {
	t.Helper()
	var out bytes.Buffer
	m, err := New(mode, &out)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, 0)
	m.now = func() time.Time { now = now.Add(40 * time.Millisecond); return now }
	for _, e := range story() {
		m.Show(e)
	}
	m.Close()
	return out.String()
}

func TestLines(t *testing.T) {
	want := `docker.io/library/x:latest: resolving
111111111111: downloading 2MB
222222222222: exists 5B
111111111111: downloaded 2MB
111111111111: unpacked 2MB
`
	for _, mode := range []string{"plain", "auto"} {
		if got := told(t, mode); got != want {
			t.Errorf("%s: got %s", mode, got)
		}
	}
	if got := told(t, "none"); got != "" {
		t.Errorf("none: got %q", got)
	}
}

// TestJSON: an event a line; those of one phase that come too soon are left out.
func TestJSON(t *testing.T) {
	var done []int64
	for line := range strings.Lines(told(t, "json")) {
		var e progress.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Phase == progress.Downloading {
			done = append(done, e.Done)
		}
	}
	if len(done) != 2 || done[0] != 1 || done[1] != 1000000 {
		t.Errorf("got %v", done)
	}
}

func TestBars(t *testing.T) {
	got := told(t, "tty")
	for _, want := range []string{"111111111111", "222222222222", "unpacked", "exists", "2.0 MB / 2.0 MB", "[===="} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

func TestUnknownMode(t *testing.T) {
	if _, err := New("fast", os.Stderr); err == nil {
		t.Error("fast is taken")
	}
}

// TestNames: a name from outside moves no cursor.
func TestNames(t *testing.T) {
	if got := name("x\x1b[2J\ny"); got != "x [2J y" {
		t.Errorf("got %q", got)
	}
}

func TestTogether(t *testing.T) {
	m, err := New("tty", &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				for _, e := range story() {
					m.Show(e)
				}
			}
		})
	}
	wg.Wait()
	m.Close()
}

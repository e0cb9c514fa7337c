package supervise

import (
	"bytes"
	"os"
	"strconv"
	"testing"
)

// What is given back of the program comes back when it is used.
func TestDropProgram(t *testing.T) {
	before := resident(t)
	if err := dropProgram(); err != nil {
		t.Fatal(err)
	}
	if after := resident(t); after >= before {
		t.Errorf("%d KiB of files are resident, and were %d", after, before)
	}
}

// resident is how much of files this process has mapped, in KiB.
func resident(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		if text, found := bytes.CutPrefix(line, []byte("RssFile:")); found {
			n, err := strconv.Atoi(string(bytes.Fields(text)[0]))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no RssFile in /proc/self/status")
	return 0
}

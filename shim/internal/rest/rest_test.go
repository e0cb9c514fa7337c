package rest

import (
	"bytes"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/davit-containers/davit/shim/loop"
)

// What is given back of the program comes back when it is used.
func TestDropProgram(t *testing.T) {
	before := resident(t, "RssFile:")
	if err := dropProgram(); err != nil {
		t.Fatal(err)
	}
	if after := resident(t, "RssFile:"); after >= before {
		t.Errorf("%d KiB of files are resident, and were %d", after, before)
	}
}

// A mapping that has pages of its own, or can be written to, stays.
func TestDropUnchangedLeavesWhatIsChanged(t *testing.T) {
	const smaps = `00001000-00002000 rw-p 00000000 00:00 1   /bin/it
Anonymous:             0 kB
00003000-00004000 r-xp 00000000 00:00 1   /bin/it
Anonymous:             4 kB
00005000-00006000 r-xp 00000000 00:00 1   /bin/other
Anonymous:             0 kB
`
	if err := dropUnchanged([]byte(smaps), []byte("/bin/it")); err != nil {
		t.Errorf("a mapping was dropped: %v", err) // none of these is there
	}
	const dropped = "00003000-00004000 r-xp 00000000 00:00 1   /bin/it\nAnonymous:             0 kB\n"
	if err := dropUnchanged([]byte(dropped), []byte("/bin/it")); err == nil {
		t.Error("a mapping that was not changed is left")
	}
}

// At rest garbage is collected where there is some, and at work as it comes.
func TestRestAndWork(t *testing.T) {
	t.Cleanup(func() {
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(math.MaxInt64)
	})
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	m := New(l, func(message string) { t.Error(message) })
	waste := make([]byte, 32<<20)
	for i := range waste {
		waste[i] = 1
	}
	before := resident(t, "RssAnon:")
	waste = nil
	m.rest()
	if after := resident(t, "RssAnon:"); after > before-(30<<10) {
		t.Errorf("%d KiB are resident at rest, and %d at work", after, before)
	}
	if limit := debug.SetMemoryLimit(-1); limit > 64<<20 {
		t.Errorf("the limit at rest is %d bytes", limit)
	}
	m.Work()
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		t.Errorf("the limit at work is %d bytes", limit)
	}
	if got := debug.SetGCPercent(percent); got != percent {
		t.Errorf("garbage is collected at %d %%, want %d", got, percent)
	}
}

// resident is a line of this process's status, in KiB.
func resident(t *testing.T, name string) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		if text, found := bytes.CutPrefix(line, []byte(name)); found {
			n, err := strconv.Atoi(string(bytes.Fields(text)[0]))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in /proc/self/status", name)
	return 0
}

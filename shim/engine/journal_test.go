package engine

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// kinds are what a journal's records say, in short.
func kinds(records []record) (list []string) {
	for _, r := range records {
		list = append(list, r.Kind+" "+r.Exec)
	}
	return list
}

func TestCounting(t *testing.T) {
	records := []record{
		{Kind: recordCreate}, {Kind: recordBorn}, {Kind: recordStarted},
		{Kind: recordExec, Exec: "a"}, {Kind: recordBorn, Exec: "a"}, {Kind: recordOOM}, {Kind: recordExit, Exec: "a"},
		{Kind: recordFreezing}, {Kind: recordPaused}, {Kind: recordDeleted, Exec: "a"}, {Kind: recordFreezing}, {Kind: recordResumed},
		{Kind: recordExec, Exec: "b"}, {Kind: recordOOM}, {Kind: recordExec, Exec: "a"}, {Kind: recordExit},
	}
	want := []string{"create ", "born ", "started ", "resumed ", "exec b", "oom ", "exec a", "exit "}
	if got := kinds(counting(records)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// testJournal is a journal that is longer than it may be.
func testJournal(t *testing.T) *journal {
	t.Helper()
	j, err := newJournal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.file.Close() })
	j.warn = func(message string) { t.Error(message) }
	j.keep = func(*os.File) error { return nil }
	j.bound = 1 << 30
	for _, r := range []record{{Kind: recordCreate, Create: &Create{ID: "one"}}, {Kind: recordExec, Exec: "a"}, {Kind: recordDeleted, Exec: "a"}} {
		if err := j.add(r); err != nil {
			t.Fatal(err)
		}
	}
	j.bound = 0
	return j
}

// named is what a journal says to whoever opens it by its name.
func named(t *testing.T, j *journal) []string {
	t.Helper()
	records, err := journalOf(filepath.Dir(j.path))
	if err != nil {
		t.Fatal(err)
	}
	return kinds(records)
}

func TestShorten(t *testing.T) {
	j := testJournal(t)
	var kept *os.File
	j.keep = func(f *os.File) error {
		kept = f
		return nil
	}
	if err := j.add(record{Kind: recordExit}); err != nil {
		t.Fatal(err)
	}
	if got := named(t, j); !slices.Equal(got, []string{"create ", "exit "}) || kept != j.file {
		t.Errorf("the journal has %q, and the keeper holds it: %v", got, kept == j.file)
	}
	if info, err := j.file.Stat(); err != nil || info.Size() != j.size || j.bound != shortBound {
		t.Errorf("size %d, bound %d: %v, %v", j.size, j.bound, info, err)
	}
}

// A journal that cannot be written anew stays as it is.
func TestShortenFails(t *testing.T) {
	j := testJournal(t)
	said := ""
	j.warn, j.keep = func(message string) { said = message }, func(*os.File) error { return errors.New("no keeper") }
	if err := j.add(record{Kind: recordExit}); err != nil {
		t.Fatal(err)
	}
	if got := named(t, j); len(got) != 4 || said == "" {
		t.Errorf("the journal has %q, and it was said %q", got, said)
	}
}

// A supervisor that is killed before the new journal has its name leaves it to the
// next one.
func TestShortenInterrupted(t *testing.T) {
	j := testJournal(t)
	next, err := openJournal(j.path + ".new")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writeRecords(next, []record{{Kind: recordCreate, Create: &Create{ID: "one"}}, {Kind: recordBorn}}); err != nil {
		t.Fatal(err)
	}
	resumed, err := resumeJournal(next, filepath.Dir(j.path))
	if err != nil {
		t.Fatal(err)
	}
	resumed.warn, resumed.keep = j.warn, j.keep
	resumed.shorten()
	if got := named(t, resumed); !slices.Equal(got, []string{"create ", "born "}) {
		t.Errorf("the journal has %q", got)
	}
}

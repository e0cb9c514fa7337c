package events

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// appender is set in the processes of TestAppendOfManyProcesses.
const appender = "DAVIT_TEST_EVENTS"

func TestMain(m *testing.M) {
	if root := os.Getenv(appender); root != "" {
		f := at(root)
		f.limit = 60 << 10
		for i := range 200 {
			if err := f.append(Event{Type: Container, Action: "start", ID: os.Getenv("WHO"), Name: strconv.Itoa(i)}); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// collect reads the actions of the events that a query wants.
func collect(t *testing.T, root string, q Query) (actions []string) {
	t.Helper()
	err := Read(t.Context(), root, q, func(e Event) error { actions = append(actions, e.Action); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return actions
}

func add(t *testing.T, root string, events ...Event) {
	t.Helper()
	for _, e := range events {
		if err := Append(root, e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRead(t *testing.T) {
	root := t.TempDir()
	if got := collect(t, root, Query{}); len(got) > 0 {
		t.Errorf("got %v of nothing", got)
	}
	t0 := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
	add(t, root, Event{Time: at(0), Type: Image, Action: "pull"}, Event{Time: at(1), Type: Container, Action: "create"},
		Event{Time: at(2), Type: Container, Action: "start"})
	for _, tt := range []struct {
		name string
		q    Query
		want string
	}{
		{"all", Query{}, "[pull create start]"},
		{"since", Query{Since: at(1)}, "[create start]"},
		{"until", Query{Until: at(1)}, "[pull create]"},
		{"some", Query{Wants: func(e Event) bool { return e.Type == Image }}, "[pull]"},
	} {
		if got := fmt.Sprint(collect(t, root, tt.q)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	stop := errors.New("enough")
	if err := Read(t.Context(), root, Query{}, func(Event) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if fi, err := os.Stat(root + "/events/log"); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", fi.Mode(), err)
	}
}

// What a killed process left half written costs no other event, nor does a file
// that was damaged.
func TestDamagedFile(t *testing.T) {
	root := t.TempDir()
	add(t, root, Event{Type: Image, Action: "one"})
	for _, damage := range []string{`{"Time":"2026-11-22T12:00:00Z","Type":"imag`, "\x00\x00\n{}\nnull\n", strings.Repeat("x", 5*maxLine)} {
		f, err := os.OpenFile(at(root).newest(), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(damage)
		f.Close()
		add(t, root, Event{Type: Image, Action: "next"})
	}
	if got := fmt.Sprint(collect(t, root, Query{})); got != "[one next next next]" {
		t.Errorf("got %s", got)
	}
}

func TestLongEvents(t *testing.T) {
	root, long := t.TempDir(), strings.Repeat("x", maxLine)
	add(t, root, Event{Type: Image, Action: "pull", Name: "n", Attributes: map[string]string{"label": long}})
	err := Read(t.Context(), root, Query{}, func(e Event) error {
		if e.Name != "n" || e.Attributes != nil {
			t.Errorf("got %v", e)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := Append(root, Event{Type: Image, Action: long}); err == nil {
		t.Error("a name of any length is noted")
	}
}

// Several processes append while files are begun anew, and one that follows
// sees all of it, each process's in order.
func TestAppendOfManyProcesses(t *testing.T) {
	const processes = 4
	root := t.TempDir()
	following := newFollower(t, root)
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), appender+"="+root, "WHO="+strconv.Itoa(i))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	next := map[string]int{}
	for range processes * 200 {
		e := <-following
		if e.Name != strconv.Itoa(next[e.ID]) {
			t.Fatalf("process %s: got event %s, want %d", e.ID, e.Name, next[e.ID])
		}
		next[e.ID]++
	}
	wg.Wait()
	for _, path := range []string{at(root).newest(), at(root).older()} {
		if fi, err := os.Stat(path); err != nil || fi.Size() > 60<<10 || fi.Size() == 0 {
			t.Errorf("%s: got %v, %v", path, fi, err)
		}
	}
}

// newFollower is of one that follows everything until the test ends.
func newFollower(t *testing.T, root string) <-chan Event {
	t.Helper()
	add(t, root, Event{Type: Volume, Action: "first"})
	seen := make(chan Event, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Follow(ctx, root, Query{}, func(e Event) error { seen <- e; return nil })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	if e := <-seen; e.Action != "first" {
		t.Fatalf("got %v", e)
	}
	return seen
}

func TestFollowUntil(t *testing.T) {
	root := t.TempDir()
	add(t, root, Event{Type: Image, Action: "pull"})
	for _, until := range []time.Time{time.Now().Add(20 * time.Millisecond), time.Now()} {
		n := 0
		if err := Follow(t.Context(), root, Query{Until: until}, func(Event) error { n++; return nil }); err != nil || n != 1 {
			t.Errorf("got %d events, %v", n, err)
		}
	}
}

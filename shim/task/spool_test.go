package task

import (
	"io"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/keeper"
)

// left is a keeper that holds a file in memory for whoever comes next.
func left(t *testing.T, key string) *keeper.Keeper {
	t.Helper()
	fd, err := unix.MemfdCreate(key, unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), key)
	t.Cleanup(func() { f.Close() })
	return &keeper.Keeper{Kept: map[string]*os.File{key: f}}
}

func topics(t *testing.T, k *keeper.Keeper) (s *spool, list []string) {
	t.Helper()
	s, events, err := openSpool(k)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		list = append(list, e.Envelope.Topic)
	}
	return s, list
}

// What has not arrived is found by who comes next, and what was being kept by half
// is not.
func TestSpool(t *testing.T) {
	k := left(t, spoolKey)
	s, _ := topics(t, k)
	for _, topic := range []string{"one", "two", "three"} {
		if err := s.add(&api.ForwardRequest{Envelope: &api.Envelope{Topic: topic}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.told(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.file.WriteAt([]byte{0, 0, 0, 200, 1, 2}, s.end); err != nil {
		t.Fatal(err)
	}
	s, got := topics(t, k)
	if want := []string{"two", "three"}; !slices.Equal(got, want) {
		t.Errorf("left is %q, want %q", got, want)
	}
	if err := s.add(&api.ForwardRequest{Envelope: &api.Envelope{Topic: "four"}}); err != nil {
		t.Fatal(err)
	}
	if _, got = topics(t, k); !slices.Equal(got, []string{"two", "three", "four"}) {
		t.Errorf("left is %q", got)
	}
	for range 3 {
		if err := s.told(); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := s.file.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("when all is told, %d bytes are kept: %v", info.Size(), err)
	}
	if _, got = topics(t, k); len(got) > 0 {
		t.Errorf("left is %q, and all was told", got)
	}
}

// A supervisor that was killed while it emptied the file leaves an offset behind
// its end.
func TestSpoolKilledWhileEmptied(t *testing.T) {
	k := left(t, spoolKey)
	if _, err := k.Kept[spoolKey].Seek(100, 0); err != nil {
		t.Fatal(err)
	}
	s, _ := topics(t, k)
	if err := s.add(&api.ForwardRequest{Envelope: &api.Envelope{Topic: "one"}}); err != nil {
		t.Fatal(err)
	}
	if _, got := topics(t, k); !slices.Equal(got, []string{"one"}) {
		t.Errorf("left is %q", got)
	}
}

// Sandboxes are found as they were, and one that was being noted by half is not.
func TestRecoverSandboxes(t *testing.T) {
	k := left(t, sandboxesKey)
	s := &Service{Keeper: k}
	if err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	one, two := &sandbox{sandboxRecord: sandboxRecord{ID: "one"}}, &sandbox{sandboxRecord: sandboxRecord{ID: "two"}}
	for _, err := range []error{s.note(one), s.note(two), s.forget(two)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.record.Seek(0, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if _, err := s.record.WriteString(`{"ID":"th`); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s = &Service{Keeper: k}
		if err := s.Recover(); err != nil {
			t.Fatal(err)
		}
		if len(s.sandboxes) != 1 || s.sandboxes["one"] == nil {
			t.Errorf("the sandboxes are %v", s.sandboxes)
		}
		if err := s.note(one); err != nil {
			t.Fatal(err)
		}
	}
}

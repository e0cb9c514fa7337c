package dirwatch

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	w, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []struct {
		name string
		do   func() error
	}{
		{"made", func() error { return os.WriteFile(file, nil, 0o600) }},
		{"written to", func() error { return os.WriteFile(file, []byte("x"), 0o600) }},
		{"moved", func() error { return os.Rename(file, file+".1") }},
	} {
		if err := change.do(); err != nil {
			t.Fatal(err)
		}
		if _, open := <-w.Changes(); !open {
			t.Fatalf("%s: %v", change.name, w.Err())
		}
	}
	w.Close()
	for range w.Changes() {
	}
	if !errors.Is(w.Err(), os.ErrClosed) {
		t.Errorf("got %v", w.Err())
	}
	if _, err := New(file + ".1"); err == nil {
		t.Error("a file is watched")
	}
}

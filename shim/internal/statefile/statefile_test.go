package statefile

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func TestWriteReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	var got map[string]int
	if err := ReadJSON(path, &got); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := WriteJSON(path, map[string]int{"n": i}); err != nil {
			t.Fatal(err)
		}
		if err := ReadJSON(path, &got); err != nil || got["n"] != i {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(dir, temporary+"1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if names, err := Names(dir, ".json"); err != nil || fmt.Sprint(names) != "[a]" {
		t.Errorf("names %v, %v", names, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left: %v", entries)
	}
}

// A failure leaves what was there, and nothing beside it.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("x")); err == nil {
		t.Error("a directory was replaced")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left: %v", entries)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	inside := 0
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			l, err := Acquire(path)
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Release()
			if inside++; inside != 1 {
				t.Error("two hold the lock")
			}
			inside--
			if i%2 == 0 {
				if err := l.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// A process that inherited the lock holds it after its parent has let go.
func TestLockIsInherited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("cat")
	child.ExtraFiles = []*os.File{l.File()}
	stdin, err := child.StdinPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	l.Release()
	got := make(chan error)
	go func() {
		l, err := Acquire(path)
		if err == nil {
			l.Release()
		}
		got <- err
	}()
	select {
	case <-got:
		t.Error("the lock was free")
	case <-time.After(50 * time.Millisecond):
	}
	stdin.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

package rootfs

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMemory(t *testing.T) {
	needMounts(t)
	dir, own := t.TempDir(), t.TempDir()
	m := MemoryIn(own)
	remembers := func() bool {
		_, err := os.Lstat(string(m))
		return err == nil
	}
	for range 2 {
		if s, err := m.Probe(t.Context(), dir); err != nil || !s.Overlay || s.Userxattr != userxattr {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	if !remembers() {
		t.Error("nothing is remembered")
	}
	m.Forget()
	if remembers() {
		t.Error("it is not forgotten")
	}
	if left, err := os.ReadDir(own); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What is remembered is believed: nothing is tried out again.
func TestMemoryIsBelieved(t *testing.T) {
	needMounts(t)
	below := mountedOverlay(t) // where none can be mounted
	m := MemoryIn(t.TempDir())
	if s, err := m.Probe(t.Context(), below); err != nil || s.Overlay {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := os.Lstat(string(m)); err == nil {
		t.Error("a failure is remembered")
	}
	now, err := circumstances(below)
	if err != nil {
		t.Fatal(err)
	}
	m.remember(now)
	if s, err := m.Probe(t.Context(), below); err != nil || !s.Overlay {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := m.Probe(t.Context(), filepath.Dir(string(m))); err != nil || !s.Overlay {
		t.Errorf("on another file system: %+v, %v", s, err)
	}
	if s, err := m.Probe(t.Context(), below); err != nil || s.Overlay {
		t.Errorf("after another file system's: %+v, %v", s, err)
	}
	m.remember("boot of yesterday\n")
	if s, err := m.Probe(t.Context(), below); err != nil || s.Overlay {
		t.Errorf("after a start: %+v, %v", s, err)
	}
}

// mountedOverlay is an overlay's directory.
func mountedOverlay(t *testing.T) string {
	t.Helper()
	s := spec(t, layerDirs(t, 2), true)
	mount(t, s)
	return s.Target
}

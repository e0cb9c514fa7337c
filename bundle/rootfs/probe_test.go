package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestProbe(t *testing.T) {
	needMounts(t)
	dir := t.TempDir()
	checkProbe(t, dir, true)
	tmpfs := t.TempDir()
	foreign(t, "tmpfs", tmpfs, "")
	checkProbe(t, tmpfs, true)
	s := spec(t, layerDirs(t, 2), true)
	mount(t, s)
	checkProbe(t, s.Target, false) // the writable layer of an overlay cannot be on another
}

// checkProbe probes, and looks for leftovers.
func checkProbe(t *testing.T, dir string, want bool) {
	t.Helper()
	got, err := Probe(t.Context(), dir)
	if err != nil || got.Overlay != want || got.Userxattr != userxattr || (got.Reason == "") != want || strings.Contains(got.Reason, "\n") {
		t.Errorf("%s: got %+v, %v", dir, got, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// killedProbe is a directory in which a probe was killed.
func killedProbe(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := benchSpec(filepath.Join(dir, benchName))
	s.Userxattr = userxattr
	for _, d := range []string{s.Lower[0] + "/d", s.Upper, s.Work, s.Target} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mount(t, s)
	if err := errors.Join(os.Remove(s.Target+"/d"), os.WriteFile(s.Target+"/f", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestProbeAfterAKilledOne(t *testing.T) {
	needMounts(t)
	checkProbe(t, killedProbe(t), true)
}

func TestEndProbe(t *testing.T) {
	needMounts(t)
	dir := killedProbe(t)
	for range 2 {
		if err := EndProbe(dir); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestProbesAtOnce(t *testing.T) {
	needMounts(t)
	dir := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got, err := Probe(t.Context(), dir); err != nil || !got.Overlay {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	all.Wait()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

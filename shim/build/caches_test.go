package build

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/build/dockerfile"
)

// caches are the names of what is in the directory of caches.
func (y *yard) caches() (names []string) {
	entries, _ := os.ReadDir(filepath.Join(y.store.Root(), cacheDir))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// fill is a RUN that puts a megabyte into a cache, and its number into a layer.
func fill(id string) string {
	return fmt.Sprintf("FROM box\nRUN --mount=type=cache,id=%s,target=/c busybox dd if=/dev/zero bs=1048576 count=1 2>/dev/null of=/c/f; echo %s >/id", id, id)
}

// TestCachesAreBounded: the caches, and the layers of steps, that were not used for
// longest go when there are too many.
func TestCachesAreBounded(t *testing.T) {
	y := newYard(t)
	y.o.CacheLimit = 5 << 19
	for _, id := range []string{"a", "b", "a", "c"} {
		y.o.NoCache = true
		y.build(fill(id))
	}
	all, err := Caches(y.store.Root())
	if err != nil || len(all) != 2 || all[0].Size < 1<<20 || all[0].Size > 2<<20 {
		t.Fatalf("there are %+v, %v", all, err)
	}
	y.o.NoCache = false
	y.build("FROM box\nRUN --mount=type=cache,id=a,target=/a --mount=type=cache,id=b,target=/b --mount=type=cache,id=c,target=/c ls /a /b /c")
	if got, want := y.printed.text.String(), "/a:\nf\n\n/b:\n\n/c:\nf\n"; got != want {
		t.Errorf("the caches have %q, want %q", got, want)
	}
}

// TestStepsAreBounded: what a step came to is forgotten once others that were used
// later take all the room; what is upon it then is nothing that another result of
// the same step can have below.
func TestStepsAreBounded(t *testing.T) {
	y := newYard(t)
	y.o.CacheLimit = 5 << 19
	y.o.Image = false
	text := func(id string) string {
		return "FROM box\nRUN busybox head -c 1048576 /dev/urandom >/" + id + "\nRUN echo >/small"
	}
	for _, id := range []string{"a", "b", "a", "c"} {
		y.build(text(id))
	}
	for id, want := range map[string]int{"a": 2, "c": 2} {
		if y.build(text(id)); y.printed.count(Cached) != want {
			t.Errorf("%s: %d steps were cached, want %d", id, y.printed.count(Cached), want)
		}
	}
	if y.build(text("b")); y.printed.count(Cached) != 0 {
		t.Errorf("%d steps were cached of the build that was forgotten", y.printed.count(Cached))
	}
	layers, err := os.ReadDir(filepath.Join(y.store.Root(), "layers"))
	if err != nil || len(layers) > 6 {
		t.Errorf("%d layers are there, %v", len(layers), err)
	}
}

// TestPruneCaches: all go that nobody uses, or those alone that were not used since.
func TestPruneCaches(t *testing.T) {
	y := newYard(t)
	use := func(id string) { y.build(fill(id)) }
	use("a")
	past := time.Now()
	use("b")
	prune := func(before time.Time) int64 {
		freed, err := PruneCaches(y.store.Root(), before, math.MaxInt64)
		if err != nil {
			t.Error(err)
		}
		return freed
	}
	if freed := prune(past); freed < 1<<20 || freed > 2<<20 || len(y.caches()) != 2 {
		t.Errorf("%d bytes were freed, and there are %q", freed, y.caches())
	}
	y.said = func(text string) {
		if strings.Contains(text, "used") {
			prune(time.Now().Add(time.Hour))
		}
	}
	y.build("FROM box\nRUN --mount=type=cache,id=b,target=/c --mount=type=tmpfs,target=/t echo used; busybox sleep 0.5; ls /c/f")
	y.said = nil
	if !strings.Contains(y.printed.text.String(), "/c/f") {
		t.Errorf("a cache was taken from a build that used it: %q", y.printed.text.String())
	}
	if prune(time.Now().Add(time.Hour)); len(y.caches()) > 0 {
		t.Errorf("there are %q", y.caches())
	}
}

// TestCachesAreLockedOnce: a RUN does not wait for itself.
func TestCachesAreLockedOnce(t *testing.T) {
	y := newYard(t)
	y.build("FROM box\nRUN --mount=type=cache,id=a,target=/x --mount=type=cache,sharing=locked,id=a,target=/y --mount=type=cache,sharing=locked,id=a,target=/z echo 1 >/y/f; cat /x/f /z/f")
	if got := y.printed.text.String(); got != "1\n1\n" {
		t.Errorf("got %q", got)
	}
}

// TestCachesAreLockedInOrder: builds that lock the same caches never wait for each
// other.
func TestCachesAreLockedInOrder(t *testing.T) {
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	work, err := s.Begin(t.Context(), store.LayerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer work.Close()
	b := &builder{o: Options{Store: s}, work: work}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var both errgroup.Group
	for _, ids := range [][]string{{"a", "b", "c"}, {"c", "b", "a"}} {
		p := &prepared{m: &made{b: b}}
		for _, id := range ids {
			p.mounts = append(p.mounts, bound{Mount: &dockerfile.Mount{Type: "cache", ID: id, Sharing: "locked"}})
		}
		both.Go(func() error {
			for range 300 {
				out := &mounted{}
				if err := errors.Join(p.openCaches(ctx, out), out.unmount()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := both.Wait(); err != nil {
		t.Error(err)
	}
}

package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/progress"
)

// TestProcessesTogether has several processes add, unpack, tag, commit, remove
// and collect the same images at once.
func TestProcessesTogether(t *testing.T) {
	if root := os.Getenv("STORE_TOGETHER"); root != "" {
		together(t, root)
		return
	}
	s := open(t)
	var processes []*exec.Cmd
	for n := range 4 {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestProcessesTogether$")
		cmd.Env = append(os.Environ(), "STORE_TOGETHER="+s.root, fmt.Sprint("STORE_SEED=", n))
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		processes = append(processes, cmd)
	}
	for _, cmd := range processes {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	valid(t, s)
	empty(t, s)
	for _, path := range listing(t, s) {
		if strings.Count(path, "/") > 1 && !strings.HasPrefix(path, "images/blobs/sha") || strings.HasPrefix(path, "work/") {
			t.Errorf("left: %s", path)
		}
	}
}

// together does one thing after the other, at random.
func together(t *testing.T, root string) {
	s, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for range 40 {
		k := rand.Uint64N(3)
		tag := fmt.Sprint("image", k)
		switch rand.IntN(6) {
		case 0, 1:
			_, err = s.Add(ctx, sample(t, 3, k), []image.Name{name(t, tag)}, AddOptions{Unpack: &LayerOptions{}})
		case 2:
			err = look(ctx, s, tag, k)
		case 3:
			_, err = s.Remove(ctx, tag, true)
		case 4:
			_, err = s.Collect(ctx)
		case 5:
			err = commitAndTag(t, s, tag)
		}
		if err != nil && !errors.Is(err, image.ErrNotFound) {
			t.Error(err)
		}
	}
}

// look unpacks an image, and finds its files there while it has them.
func look(ctx context.Context, s *Store, tag string, k uint64) error {
	img, err := s.Get(ctx, tag)
	if err != nil {
		return err
	}
	l, err := s.Layers(ctx, img, LayerOptions{})
	if err != nil {
		return err
	}
	for n, dir := range slices.Backward(l.Dirs[len(l.Dirs)-3:]) {
		if _, err := os.Stat(fmt.Sprintf("%s/dir3/file%d-3", dir, k*100+uint64(2-n))); err != nil {
			return fmt.Errorf("a layer in use: %v", err)
		}
	}
	return l.Close()
}

func commitAndTag(t *testing.T, s *Store, tag string) error {
	img, err := s.Get(t.Context(), tag)
	if err != nil {
		return err
	}
	made, err := s.Commit(t.Context(), CommitOptions{
		Base: img, Names: []image.Name{name(t, "made")}, Unpack: &LayerOptions{},
		Layer:   func(_ context.Context, w io.Writer) error { _, err := w.Write(archiveOf(5, 99)); return err },
		History: v1.History{CreatedBy: tag},
	})
	if err != nil {
		return err
	}
	return s.Tag(t.Context(), made, name(t, "also"))
}

// TestEachLayerIsUnpackedOnce: of several who want it, one unpacks it and the
// others wait.
func TestEachLayerIsUnpackedOnce(t *testing.T) {
	s := open(t)
	img := add(t, s, sample(t, 3, 1), "a")
	other := add(t, s, layered(t, archiveOf(10, 100), archiveOf(10, 101), archiveOf(10, 7)), "b")
	var mu sync.Mutex
	counts := map[string]int{}
	o := LayerOptions{Progress: func(e progress.Event) {
		if e.Phase == progress.Unpacked {
			mu.Lock()
			defer mu.Unlock()
			counts[e.Layer]++
		}
	}}
	var wait sync.WaitGroup
	for n := range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			store, err := Open(s.root)
			if err != nil {
				t.Error(err)
				return
			}
			l, err := store.Layers(t.Context(), []*Image{img, other}[n%2], o)
			if err != nil {
				t.Error(err)
				return
			}
			l.Close()
		}()
	}
	wait.Wait()
	if len(counts) != 4 {
		t.Errorf("%d layers were unpacked, want 4", len(counts))
	}
	for layer, n := range counts {
		if n != 1 {
			t.Errorf("%s was unpacked %d times", layer, n)
		}
	}
}

// TestWaitingEndsWithItsContext: another process has the layer, and does not end.
func TestWaitingEndsWithItsContext(t *testing.T) {
	s := open(t)
	img := add(t, s, sample(t, 1, 1), "a")
	held, err := s.claim(t.Context(), chainPrefix+img.ChainIDs()[0].Hex, makeAndOpenDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	ctx, cancel := context.WithCancel(t.Context())
	waiting := LayerOptions{Progress: func(e progress.Event) {
		if e.Phase == progress.Waiting {
			cancel()
		}
	}}
	if _, err := s.Layers(ctx, img, waiting); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// TestModes: whatever the umask, others see nothing of a store, where files of
// images may be set-user-ID. CVE-2021-41091.
func TestModes(t *testing.T) {
	for _, mask := range []int{0, 0o077, 0o777} {
		func() {
			defer syscall.Umask(syscall.Umask(mask))
			s := open(t)
			add(t, s, sample(t, 1, 1), "a")
			for _, dir := range []string{"", "work", "layers", "holds", "images", "images/blobs"} {
				if st, err := os.Stat(s.path(dir)); err != nil || st.Mode().Perm() != dirMode {
					t.Errorf("umask %o: %s has mode %v, %v", mask, dir, st.Mode(), err)
				}
			}
		}()
	}
}

// gated has a blob that comes only when it may.
type gated struct {
	image.Blobs
	digest v1.Hash
	open   chan struct{}
}

func (g gated) OpenBlob(ctx context.Context, d v1.Descriptor, offset int64) (io.ReadCloser, error) {
	if d.Digest == g.digest {
		select {
		case <-g.open:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return g.Blobs.OpenBlob(ctx, d, offset)
}

// TestLayersAreUnpackedAsTheyCome: the first while the last is still on its way.
func TestLayersAreUnpackedAsTheyCome(t *testing.T) {
	s := open(t)
	img := sample(t, 3, 1)
	layers := img.LayerDescriptors()
	g := gated{img, layers[2].Digest, make(chan struct{})}
	config, _ := img.RawConfigFile()
	slow, err := image.FromConfig(g, config, layers)
	if err != nil {
		t.Fatal(err)
	}
	unpack := &LayerOptions{Progress: func(e progress.Event) {
		if e.Phase == progress.Unpacked && e.Layer == layers[0].Digest.String() {
			close(g.open)
		}
	}}
	if _, err := s.Add(t.Context(), slow, []image.Name{name(t, "a")}, AddOptions{Unpack: unpack}); err != nil {
		t.Fatal(err)
	}
}

// TestStoreThatWasRemoved: operations fail, and do not try for ever.
func TestStoreThatWasRemoved(t *testing.T) {
	s := open(t)
	if err := os.RemoveAll(s.root); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(t.Context(), sample(t, 1, 1), nil, AddOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
}

package store

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	libregistry "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/registry"
	"github.com/davit-containers/davit/bundle/layer"
	"github.com/davit-containers/davit/conformance/treetest"
)

// kills is how often each operation is killed: 200 show more than 5 do.
var kills = flag.Int("kills", 5, "kill each operation of the store at so many random moments")

// killable are the operations that a process is killed in.
var killable = map[string]struct {
	// prepare makes the store that the operation begins with.
	prepare func(t testing.TB, s *Store, ref string)
	do      func(ctx context.Context, s *Store, ref string) error
}{
	"pull": {func(testing.TB, *Store, string) {}, func(ctx context.Context, s *Store, ref string) error {
		return pull(ctx, s, ref, AddOptions{})
	}},
	"unpack": {func(t testing.TB, s *Store, ref string) {
		if err := pull(t.Context(), s, ref, AddOptions{}); err != nil {
			t.Fatal(err)
		}
	}, unpackPulled},
	"pull and unpack": {func(testing.TB, *Store, string) {}, func(ctx context.Context, s *Store, ref string) error {
		return pull(ctx, s, ref, AddOptions{Unpack: &LayerOptions{}})
	}},
	"commit": {func(t testing.TB, s *Store, ref string) {
		if err := pull(t.Context(), s, ref, AddOptions{Unpack: &LayerOptions{}}); err != nil {
			t.Fatal(err)
		}
	}, commitPulled},
}

func pull(ctx context.Context, s *Store, ref string, o AddOptions) error {
	n, err := image.ParseName(ref)
	if err != nil {
		return err
	}
	img, err := registry.New(registry.Options{Keychain: authn.NewMultiKeychain()}).Image(ctx, n, image.Host())
	if err != nil {
		return err
	}
	_, err = s.Add(ctx, img, []image.Name{n}, o)
	return err
}

func unpackPulled(ctx context.Context, s *Store, ref string) error {
	img, err := s.Get(ctx, ref)
	if err != nil {
		return err
	}
	l, err := s.Layers(ctx, img, LayerOptions{})
	if err != nil {
		return err
	}
	return l.Close()
}

func commitPulled(ctx context.Context, s *Store, ref string) error {
	img, err := s.Get(ctx, ref)
	if err != nil {
		return err
	}
	n, err := image.ParseName("committed")
	if err != nil {
		return err
	}
	_, err = s.Commit(ctx, CommitOptions{
		Base: img, Names: []image.Name{n}, Unpack: &LayerOptions{},
		Layer:   func(_ context.Context, w io.Writer) error { _, err := w.Write(archiveOf(60, 77)); return err },
		History: v1.History{Created: v1.Time{Time: time.Unix(1, 0)}},
	})
	return err
}

// TestKilled kills processes at random moments of what they do. What they leave
// is a store that works, in which nothing is half there; and when everything is
// removed from it, nothing is left.
func TestKilled(t *testing.T) {
	if op := os.Getenv("STORE_DO"); op != "" {
		s, err := Open(os.Getenv("STORE_ROOT"))
		if err == nil {
			os.Stdout.WriteString(".")
			err = killable[op].do(context.Background(), s, os.Getenv("STORE_REF"))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	server := httptest.NewServer(libregistry.New(libregistry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/some/image:1"
	img := layered(t, archiveOf(60, 1), noise(3<<20, 2), archiveOf(60, 3), archiveOf(60, 4))
	if err := registry.New(registry.Options{Keychain: authn.NewMultiKeychain()}).Push(t.Context(), img, name(t, ref)); err != nil {
		t.Fatal(err)
	}
	for op := range killable {
		t.Run(op, func(t *testing.T) { killed(t, op, ref) })
	}
}

func killed(t *testing.T, op, ref string) {
	s := open(t)
	killable[op].prepare(t, s, ref)
	whole := time.Now()
	if doAndKill(t, s, op, ref, time.Hour) {
		t.Fatal("killed after an hour")
	}
	duration := time.Since(whole)
	empty(t, s)
	nothing := listing(t, s)
	for n := 0; n < *kills; {
		killable[op].prepare(t, s, ref)
		if doAndKill(t, s, op, ref, time.Duration(rand.Int64N(int64(duration)))) {
			n++
		} else {
			duration = duration*9/10 + 1 // the machine is faster now
		}
		valid(t, s)
		if err := killable[op].do(t.Context(), s, ref); err != nil {
			t.Fatalf("after a kill: %v", err)
		}
		valid(t, s)
		empty(t, s)
		sameList(t, "after a kill, when everything was removed", listing(t, s), nothing)
		if t.Failed() {
			return
		}
	}
}

// doAndKill runs an operation in a process of its own, and kills it after some
// time, and tells whether it was killed.
func doAndKill(t *testing.T, s *Store, op, ref string, after time.Duration) bool {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "STORE_DO="+op, "STORE_ROOT="+s.root, "STORE_REF="+ref)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Error(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		t.Errorf("%s: %v", op, err)
	}
	return errors.As(err, &exit) && exit.ExitCode() < 0
}

// empty removes all images, and what nothing needs.
func empty(t *testing.T, s *Store) {
	t.Helper()
	images, err := s.Images(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range images {
		if _, err := s.Remove(t.Context(), img.ID().Hex, true); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// valid checks that each blob, image and layer of a store is whole.
func valid(t *testing.T, s *Store) {
	t.Helper()
	blobs, err := os.ReadDir(s.path("images/blobs/sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blobs {
		raw, err := os.ReadFile(s.path("images/blobs/sha256", b.Name()))
		if sum, _ := image.Sum("sha256", raw); err != nil || sum.Hex != b.Name() {
			t.Errorf("blob %s has digest %s, %v", b.Name(), sum, err)
		}
	}
	images, err := s.Images(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]v1.Hash{}
	for _, img := range images {
		for i, chain := range img.ChainIDs() {
			known[chain.Hex] = img.LayerDescriptors()[i].Digest
			if ok, err := s.hasBlob(img.LayerDescriptors()[i]); !ok {
				t.Errorf("a blob of %v is missing: %v", img.Names, err)
			}
		}
	}
	layers, _ := os.ReadDir(s.path("layers"))
	for _, l := range layers {
		validLayer(t, s, l.Name(), known[l.Name()])
	}
}

// validLayer compares a layer to what unpacking its blob gives.
func validLayer(t *testing.T, s *Store, chain string, blob v1.Hash) {
	t.Helper()
	raw, err := os.ReadFile(s.path("layers", chain, aboutName))
	var about unpacked
	if err != nil || json.Unmarshal(raw, &about) != nil || about.Chain.Hex != chain {
		t.Errorf("layer %s: %s, %v", chain, raw, err)
		return
	}
	if blob.Hex == "" {
		return // its image was not named yet; the next operation finds it
	}
	want := scratch(t)
	dir, err := os.Open(want)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	f, err := os.Open(s.blobPath(blob))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, _ := f.Stat()
	r, err := layer.Open(t.Context(), f, layer.Blob{Digest: blob, Size: st.Size(), DiffID: about.DiffID})
	if err != nil {
		t.Fatal(err)
	}
	if err := layer.NewPlain(dir, layer.Options{}).Apply(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	r.Verify()
	r.Close()
	treetest.Equal(t, filepath.Join(s.path("layers", chain), treeName), want, treetest.IgnorePath("."), treetest.IgnoreFields(treetest.FieldTime))
}

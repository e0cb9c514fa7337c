package store

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/davit-containers/davit/bundle/image"
)

// libraryBlobs gives an image of the library's its bytes.
type libraryBlobs struct{ img v1.Image }

func (l libraryBlobs) OpenBlob(_ context.Context, d v1.Descriptor, offset int64) (io.ReadCloser, error) {
	if id, _ := l.img.ConfigName(); id == d.Digest {
		raw, _ := l.img.RawConfigFile()
		return document(raw).OpenBlob(nil, d, offset)
	}
	layer, err := l.img.LayerByDigest(d.Digest)
	if err != nil {
		return nil, err
	}
	r, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	_, err = io.CopyN(io.Discard, r, offset)
	return r, err
}

// sample is an image of Docker's format with some layers.
func sample(t *testing.T, layers int64) *image.Image {
	t.Helper()
	img, err := random.Image(1000, layers)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	mediaType, _ := img.MediaType()
	d, _ := image.Describe(raw, mediaType)
	checked, err := image.ResolveDocument(t.Context(), libraryBlobs{img}, d, raw, image.Host())
	if err != nil {
		t.Fatal(err)
	}
	return checked
}

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir() + "/store")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func name(t *testing.T, s string) image.Name {
	t.Helper()
	n, err := image.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAddGetTagRemove(t *testing.T) {
	s, ctx := open(t), t.Context()
	img := sample(t, 3)
	added, err := s.Add(ctx, img, []image.Name{name(t, "busybox")}, AddOptions{Source: name(t, "busybox")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Tag(ctx, added, name(t, "other:2")); err != nil {
		t.Fatal(err)
	}
	origin := img.Origins()[0].String()
	for _, ref := range []string{"busybox", "docker.io/library/busybox:latest", "other:2", img.ID().String(), img.ID().Hex[:12], "busybox@" + origin, added.Descriptor().Digest.String()} {
		got, err := s.Get(ctx, ref)
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		if got.ID() != img.ID() || len(got.Names) != 2 {
			t.Errorf("%s: got %s with %v", ref, got.ID(), got.Names)
		}
	}
	if _, err := s.Get(ctx, "busybox:2"); !errors.Is(err, image.ErrNotFound) {
		t.Errorf("busybox:2: got %v, want ErrNotFound", err)
	}
	if _, err := s.Remove(ctx, img.ID().String(), false); err == nil {
		t.Error("an image with two names was removed by its ID")
	}
	for _, ref := range []string{"busybox", "other:2"} {
		if _, err := s.Remove(ctx, ref, false); err != nil {
			t.Fatal(err)
		}
	}
	c, err := s.Collect(ctx)
	if err != nil || c.Blobs != 5 {
		t.Errorf("collected %+v, %v; want 5 blobs", c, err)
	}
	for _, dir := range []string{"work", "layers", "images/blobs/sha256"} {
		if left, _ := os.ReadDir(s.path(dir)); len(left) > 0 {
			t.Errorf("left in %s: %v", dir, left)
		}
	}
}

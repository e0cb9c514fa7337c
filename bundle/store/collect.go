package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/internal/lock"
)

// Collected says what was removed.
type Collected struct {
	Blobs, Layers int
	// Bytes are those of the blobs.
	Bytes int64
}

// Collect removes the blobs and the layers that no image, no hold, no remembered
// step of a build and no running operation needs, and what killed processes left.
func (s *Store) Collect(ctx context.Context) (Collected, error) {
	var c Collected
	err := s.locked(ctx, unix.LOCK_EX, func() error {
		needed, err := s.needed(ctx)
		if err != nil {
			return fmt.Errorf("collecting: %w", err)
		}
		return errors.Join(s.collectBlobs(needed, &c), s.collectLayers(needed, &c))
	})
	return c, errors.Join(err, s.sweep(true))
}

// needed are the names of pins of all that is in use. It is called with the
// store's lock held exclusively, so that nothing is taken into use meanwhile.
func (s *Store) needed(ctx context.Context) (map[string]bool, error) {
	x, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	needed := map[string]bool{}
	for _, d := range x.entries {
		if err := s.need(ctx, d, needed); err != nil {
			return nil, err
		}
	}
	holds, err := s.Holds()
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		if err := s.needHeld(ctx, h, needed); err != nil {
			return nil, err
		}
	}
	if err := s.needCached(needed); err != nil {
		return nil, err
	}
	return needed, s.needPinned(needed)
}

// need adds what an image needs.
func (s *Store) need(ctx context.Context, d v1.Descriptor, needed map[string]bool) error {
	if needed[blobPin(d.Digest)] {
		return nil
	}
	img, err := image.Resolve(ctx, s, d, image.Host())
	if err != nil {
		return err
	}
	for _, name := range pins(img) {
		needed[name] = true
	}
	for _, id := range img.ChainIDs() {
		needed[chainPin(id)] = true
	}
	return nil
}

// needHeld adds what a hold needs. The image may have lost its names.
func (s *Store) needHeld(ctx context.Context, h Hold, needed map[string]bool) error {
	for _, id := range h.Chains {
		needed[chainPin(id)] = true
	}
	st, err := os.Lstat(s.blobPath(h.Image))
	if err != nil {
		return fmt.Errorf("reading hold %s: %w", h.Name, err)
	}
	return s.need(ctx, v1.Descriptor{MediaType: types.OCIManifestSchema1, Size: st.Size(), Digest: h.Image}, needed)
}

// needPinned adds the pins of operations whose processes live.
func (s *Store) needPinned(needed map[string]bool) error {
	entries, err := os.ReadDir(s.path("work"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), operationPrefix) {
			continue
		}
		if err := s.needOperation(s.path("work", e.Name()), needed); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) needOperation(path string, needed map[string]bool) error {
	dir, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	if lock.Try(dir, unix.LOCK_EX) == nil {
		return nil // its process is dead
	}
	names, err := dir.Readdirnames(-1)
	for _, name := range names {
		needed[name] = true
	}
	return err
}

func (s *Store) collectBlobs(needed map[string]bool, c *Collected) error {
	for _, algorithm := range []string{"sha256", "sha512"} {
		entries, err := os.ReadDir(s.path("images", "blobs", algorithm))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if needed[algorithm+"-"+e.Name()] {
				continue
			}
			if st, err := e.Info(); err == nil {
				c.Bytes += st.Size()
			}
			if err := os.RemoveAll(s.path("images", "blobs", algorithm, e.Name())); err != nil {
				return err
			}
			c.Blobs++
		}
	}
	return nil
}

// trash moves a layer out of the way, which is quick. It is removed when the
// store's lock is free again.
func (s *Store) trash(name string) error {
	err := os.Rename(s.path("layers", name), s.path("work", trashPrefix+rand.Text()))
	if errors.Is(err, os.ErrNotExist) {
		return nil // another process was quicker
	}
	return err
}

func (s *Store) collectLayers(needed map[string]bool, c *Collected) error {
	entries, err := os.ReadDir(s.path("layers"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if needed[layerPin(e.Name())] {
			continue
		}
		if err := s.trash(e.Name()); err != nil {
			return err
		}
		c.Layers++
	}
	return nil
}

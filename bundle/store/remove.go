package store

import (
	"context"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/davit-containers/davit/bundle/image"
)

// Removed says what became of an image.
type Removed struct {
	// Untagged are the names that it lost.
	Untagged []image.Name
	// Deleted says that the store has it no more. Its blobs and layers go with the
	// next [Store.Collect].
	Deleted bool
	// ID is the image's.
	ID v1.Hash
}

// Remove takes a name from an image, and the image itself with its last name.
// Given by its ID an image goes with all its names; it must not have several,
// unless force is set.
//
// Errors: [image.ErrNotFound], [ErrAmbiguous], [ErrInUse].
func (s *Store) Remove(ctx context.Context, ref string, force bool) (Removed, error) {
	img, err := s.Get(ctx, ref)
	if err != nil {
		return Removed{}, err
	}
	out := Removed{ID: img.ID()}
	err = s.change(ctx, func(x *index) error {
		if name, ok := byName(img, ref); ok && len(img.Names) > 1 {
			x.unname(name)
			out.Untagged = []image.Name{name}
			return nil
		} else if !ok && len(img.Names) > 1 && !force {
			return fmt.Errorf("removing %s: it has several names (remove each, or force it)", ref)
		}
		if err := s.unheld(img); err != nil {
			return fmt.Errorf("removing %s: %w", ref, err)
		}
		x.remove(img.Descriptor().Digest)
		out.Untagged, out.Deleted = img.Names, true
		return nil
	})
	return out, err
}

// byName tells which of its names an image was called by.
func byName(img *Image, ref string) (image.Name, bool) {
	name, err := image.ParseName(ref)
	if err != nil || !slices.Contains(img.Names, name) {
		return image.Name{}, false
	}
	return name, true
}

// unheld tells whether nothing holds an image.
func (s *Store) unheld(img *Image) error {
	holds, err := s.Holds()
	if err != nil {
		return err
	}
	for _, h := range holds {
		if h.Image == img.Descriptor().Digest {
			return fmt.Errorf("%w by %s", ErrInUse, h.Name)
		}
	}
	return nil
}

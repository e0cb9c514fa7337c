package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/layout"
)

// Image is an image of the store.
type Image struct {
	*image.Image
	// Names are its tags, sorted.
	Names []image.Name
	// Digests are the names with digests that it was fetched by.
	Digests []image.Name
}

// Images are all images of the store, in the order in which they came.
func (s *Store) Images(ctx context.Context) (images []*Image, err error) {
	err = s.locked(ctx, unix.LOCK_SH, func() error {
		x, err := s.readIndex()
		if err == nil {
			images, err = s.all(ctx, x)
		}
		return err
	})
	return images, err
}

// all is called with the store's lock held, so that nothing is collected
// meanwhile.
func (s *Store) all(ctx context.Context, x *index) ([]*Image, error) {
	var images []*Image
	seen := map[v1.Hash]bool{}
	for _, d := range x.entries {
		if seen[d.Digest] {
			continue
		}
		seen[d.Digest] = true
		img, err := s.open(ctx, x, d)
		if err != nil {
			return nil, err
		}
		images = append(images, img)
	}
	return images, nil
}

// open makes the image of an entry.
func (s *Store) open(ctx context.Context, x *index, d v1.Descriptor) (*Image, error) {
	img, err := image.Resolve(ctx, s, d, image.Host())
	if err != nil {
		return nil, fmt.Errorf("reading the store: %w", err)
	}
	out := &Image{Image: img}
	for _, e := range x.entries {
		if name, err := image.ParseName(e.Annotations[layout.RefName]); e.Digest == d.Digest && err == nil {
			out.Names = append(out.Names, name)
		}
	}
	slices.SortFunc(out.Names, func(a, b image.Name) int { return strings.Compare(a.String(), b.String()) })
	for _, o := range x.origins(d.Digest) {
		if name, err := image.ParseName(o); err == nil {
			out.Digests = append(out.Digests, name)
		}
	}
	return out, nil
}

// Get is the image of a name, of a name with a digest, of an ID or the
// beginning of one, or of a manifest's digest.
//
// Errors: [image.ErrNotFound], [ErrAmbiguous].
func (s *Store) Get(ctx context.Context, ref string) (img *Image, err error) {
	err = s.locked(ctx, unix.LOCK_SH, func() error {
		x, err := s.readIndex()
		if err != nil {
			return err
		}
		if d, ok := x.find(ref); ok {
			img, err = s.open(ctx, x, d)
		} else {
			img, err = s.byID(ctx, x, ref)
		}
		return err
	})
	return img, err
}

// find looks a name up, or a digest of a manifest.
func (x *index) find(ref string) (v1.Descriptor, bool) {
	name, err := image.ParseName(ref)
	digest, byDigest := name.Digest()
	for _, d := range x.entries {
		switch {
		case d.Digest.String() == ref,
			err == nil && !byDigest && d.Annotations[layout.RefName] == tagged(name),
			err == nil && byDigest && x.cameBy(d, name, digest):
			return d, true
		}
	}
	return v1.Descriptor{}, false
}

// cameBy tells whether an image is of a repository and has that digest.
func (x *index) cameBy(d v1.Descriptor, name image.Name, digest v1.Hash) bool {
	if slices.Contains(x.origins(d.Digest), name.Repository()+"@"+digest.String()) {
		return true
	}
	has, err := image.ParseName(d.Annotations[layout.RefName])
	return err == nil && d.Digest == digest && has.Repository() == name.Repository()
}

// byID looks an ID up, by its beginning, of the configuration or of the manifest.
func (s *Store) byID(ctx context.Context, x *index, ref string) (*Image, error) {
	prefix := strings.TrimPrefix(ref, "sha256:")
	missing := fmt.Errorf("%q: %w", ref, image.ErrNotFound)
	if prefix == "" || strings.Trim(prefix, "0123456789abcdef") != "" {
		return nil, missing
	}
	images, err := s.all(ctx, x)
	if err != nil {
		return nil, err
	}
	var found []*Image
	for _, img := range images {
		if strings.HasPrefix(img.ID().Hex, prefix) || strings.HasPrefix(img.Descriptor().Digest.Hex, prefix) {
			found = append(found, img)
		}
	}
	switch {
	case len(found) == 0:
		return nil, missing
	case slices.ContainsFunc(found, func(i *Image) bool { return i.ID() != found[0].ID() }):
		return nil, fmt.Errorf("%q: %w", ref, ErrAmbiguous)
	}
	return found[0], nil
}

// Tag gives an image of the store another name. Whichever image has it loses it.
func (s *Store) Tag(ctx context.Context, img *Image, name image.Name) error {
	if !isTag(name) {
		return fmt.Errorf("tagging %s: a name with a digest is none that can be given", name)
	}
	return s.change(ctx, func(x *index) error {
		d := img.Descriptor()
		if !x.has(d.Digest) {
			return fmt.Errorf("tagging %s: %w", d.Digest, image.ErrNotFound)
		}
		x.name(d, []image.Name{name}, nil)
		return nil
	})
}

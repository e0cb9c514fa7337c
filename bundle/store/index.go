package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/layout"
)

// originKey is the annotation for the names that an image was fetched by, with
// their digests, separated by spaces.
const originKey = "io.github.davit-containers.origin"

// index is what index.json says: one entry for each name of an image, and one
// for an image without a name.
type index struct{ entries []v1.Descriptor }

// readIndex needs no lock: the file is replaced as a whole.
func (s *Store) readIndex() (*index, error) {
	raw, err := os.ReadFile(s.path("images", layout.IndexFile))
	if errors.Is(err, fs.ErrNotExist) {
		return &index{}, nil
	}
	if err != nil {
		return nil, err
	}
	manifest, err := layout.ParseIndex(raw)
	if err != nil {
		return nil, fmt.Errorf("reading the store: %w", err)
	}
	return &index{manifest.Manifests}, nil
}

// writeIndex is called with the store's lock held exclusively.
func (s *Store) writeIndex(x *index) error {
	raw, err := json.MarshalIndent(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: x.list()}, "", "  ")
	if err != nil {
		return err
	}
	if len(raw) > image.MaxDocument {
		return fmt.Errorf("writing the store: there are too many images (remove some)")
	}
	return s.replace(s.path("images", layout.IndexFile), append(raw, '\n'))
}

func (x *index) list() []v1.Descriptor {
	if x.entries == nil {
		return []v1.Descriptor{}
	}
	return x.entries
}

// change rewrites the index.
func (s *Store) change(ctx context.Context, do func(*index) error) error {
	return s.locked(ctx, unix.LOCK_EX, func() error {
		x, err := s.readIndex()
		if err != nil {
			return err
		}
		if err := do(x); err != nil {
			return err
		}
		return s.writeIndex(x)
	})
}

// name gives names to an image. Another image that has one loses it, and stays
// without a name if it was its last.
func (x *index) name(d v1.Descriptor, names []image.Name, origins []string) {
	d.Annotations = nil
	origins = merge(x.origins(d.Digest), origins)
	for _, n := range names {
		if isTag(n) {
			x.unname(n)
			x.entries = append(x.entries, named(d, tagged(n)))
		}
	}
	if !x.has(d.Digest) {
		x.entries = append(x.entries, d)
	}
	x.tidy(d.Digest, origins)
}

// isTag tells whether a name can be given. One with a digest names one image for
// ever, whatever tag stands in it.
func isTag(n image.Name) bool {
	_, digested := n.Digest()
	return !digested && n.Tag() != ""
}

// tagged is a name as the index has it: without its digest.
func tagged(n image.Name) string { return n.Repository() + ":" + n.Tag() }

func named(d v1.Descriptor, name string) v1.Descriptor {
	d.Annotations = map[string]string{layout.RefName: name}
	return d
}

func (x *index) has(h v1.Hash) bool {
	return slices.ContainsFunc(x.entries, func(d v1.Descriptor) bool { return d.Digest == h })
}

// unname takes a name from the image that has it.
func (x *index) unname(n image.Name) bool {
	for i, d := range x.entries {
		if d.Annotations[layout.RefName] == tagged(n) {
			delete(d.Annotations, layout.RefName)
			origins := x.origins(d.Digest)
			x.entries[i] = d
			x.tidy(d.Digest, origins)
			return true
		}
	}
	return false
}

// tidy writes the origins into each entry of an image, and removes the entry
// without a name where there is one with a name.
func (x *index) tidy(h v1.Hash, origins []string) {
	hasName := slices.ContainsFunc(x.entries, func(d v1.Descriptor) bool {
		return d.Digest == h && d.Annotations[layout.RefName] != ""
	})
	var kept []v1.Descriptor
	seen := false
	for _, d := range x.entries {
		if d.Digest == h {
			if d.Annotations[layout.RefName] == "" && (hasName || seen) {
				continue
			}
			seen = true
			d.Annotations = annotations(d.Annotations[layout.RefName], origins)
		}
		kept = append(kept, d)
	}
	x.entries = kept
}

func annotations(name string, origins []string) map[string]string {
	a := map[string]string{}
	if name != "" {
		a[layout.RefName] = name
	}
	if len(origins) > 0 {
		a[originKey] = strings.Join(origins, " ")
	}
	if len(a) == 0 {
		return nil
	}
	return a
}

// origins are those of all entries of an image.
func (x *index) origins(h v1.Hash) []string {
	for _, d := range x.entries {
		if d.Digest == h && d.Annotations[originKey] != "" {
			return strings.Fields(d.Annotations[originKey])
		}
	}
	return nil
}

func merge(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// remove removes all entries of an image.
func (x *index) remove(h v1.Hash) {
	x.entries = slices.DeleteFunc(x.entries, func(d v1.Descriptor) bool { return d.Digest == h })
}

// OpenBlob opens a blob of the store. It is an [image.Blobs].
func (s *Store) OpenBlob(_ context.Context, d v1.Descriptor, offset int64) (io.ReadCloser, error) {
	f, err := os.OpenFile(s.blobPath(d.Digest), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && st.Size() != d.Size {
		err = image.Rejected("reading %s: there are %d bytes, and its descriptor says %d", d.Digest, st.Size(), d.Size)
	}
	if err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

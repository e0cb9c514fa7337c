package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/layout"
)

// Archive is an open archive of images.
type Archive struct {
	files  *files
	layout *layout.Layout // nil for one of `docker save` alone
	known  map[string]v1.Descriptor
}

// Found is an image of an archive, with its names there.
type Found struct {
	Image *image.Image
	Names []image.Name
}

// Open opens an archive that is not compressed. [Stream] takes one that is, or
// that comes through a pipe.
func Open(path string) (*Archive, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return OpenFile(f)
}

// OpenFile is Open for a file, which must be seekable and is owned from then on.
// Where an archive is both an OCI image layout and one of `docker save`, it is
// read as the layout, which has the images' own manifests.
func OpenFile(f *os.File) (*Archive, error) {
	a, err := index(f)
	if err != nil {
		return nil, err
	}
	archive := &Archive{files: a, known: map[string]v1.Descriptor{}}
	ok, err := layout.Has(a, layout.IndexFile)
	if ok && err == nil {
		archive.layout, err = layout.Open(a)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", f.Name(), err), a.Close())
	}
	return archive, nil
}

// Close closes the archive's file.
func (a *Archive) Close() error { return a.files.Close() }

// Images are all images of the archive, each for the platform where it is there
// for several.
func (a *Archive) Images(ctx context.Context, platform v1.Platform) ([]Found, error) {
	if a.layout != nil {
		return a.ociImages(ctx, platform)
	}
	items, err := readManifest(a.files)
	if err != nil {
		return nil, err
	}
	var found []Found
	for _, it := range items {
		one, err := a.docker(ctx, it)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

func (a *Archive) docker(ctx context.Context, it item) (Found, error) {
	names, err := it.names()
	if err != nil {
		return Found{}, err
	}
	img, err := dockerImage(ctx, a.files, it, a.known)
	return Found{Image: img, Names: names}, err
}

// ociImages joins the entries of one image, as there is one for each name.
func (a *Archive) ociImages(ctx context.Context, platform v1.Platform) ([]Found, error) {
	var found []Found
	at := map[v1.Hash]int{}
	for _, d := range a.layout.Entries() {
		n, ok := at[d.Digest]
		if !ok {
			img, err := image.Resolve(ctx, a.layout, d, platform)
			if err != nil {
				return nil, err
			}
			n = len(found)
			at[d.Digest] = n
			found = append(found, Found{Image: img})
		}
		if name, ok := layout.Name(d); ok && !slices.Contains(found[n].Names, name) {
			found[n].Names = append(found[n].Names, name)
		}
	}
	return found, nil
}

// Image is the image of a name. With no name, it is the only one.
func (a *Archive) Image(ctx context.Context, name string, platform v1.Platform) (*image.Image, error) {
	if a.layout != nil {
		return a.layout.Image(ctx, name, platform)
	}
	items, err := readManifest(a.files)
	if err != nil {
		return nil, err
	}
	it, err := choose(items, name)
	if err != nil {
		return nil, err
	}
	return dockerImage(ctx, a.files, it, a.known)
}

// choose finds an item by one of its tags, in any of their spellings.
func choose(items []item, name string) (item, error) {
	if name == "" {
		if len(items) != 1 {
			return item{}, fmt.Errorf("choosing an image: there are %d (name one of: %s)", len(items), allTags(items))
		}
		return items[0], nil
	}
	want, err := image.ParseName(name)
	if err != nil {
		return item{}, err
	}
	for _, it := range items {
		names, err := it.names()
		if err != nil {
			return item{}, err
		}
		if slices.Contains(names, want) {
			return it, nil
		}
	}
	return item{}, fmt.Errorf("looking for %q: %w (there are: %s)", name, image.ErrNotFound, allTags(items))
}

func allTags(items []item) string {
	var tags []string
	for _, it := range items {
		tags = append(tags, it.RepoTags...)
	}
	return strings.Join(tags, ", ")
}

package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

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

// Kind is what an archive is read as. [image.OCIArchive] and
// [image.DockerArchive] are kinds.
type Kind image.Transport

// Any takes an archive for what it is. Where it is both, it is read as an OCI
// image layout, which has the images' own manifests.
const Any Kind = ""

// Stream opens an archive, which may be compressed with gzip or zstd, or come
// through a pipe: then it is written to a file without a name in dir first. f is
// owned from then on.
func Stream(ctx context.Context, f *os.File, dir string, kind Kind) (*Archive, error) {
	plain, err := seekable(ctx, f, dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", f.Name(), err), f.Close())
	}
	files, err := index(plain)
	if err != nil {
		return nil, err
	}
	a := &Archive{files: files, known: map[string]v1.Descriptor{}}
	if a.layout, err = asLayout(files, kind); err != nil {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", f.Name(), err), files.Close())
	}
	return a, nil
}

// asLayout is nil for an archive that is to be read as one of `docker save`.
func asLayout(a *files, kind Kind) (*layout.Layout, error) {
	if kind == Kind(image.DockerArchive) {
		return nil, nil
	}
	ok, err := layout.Has(a, layout.IndexFile)
	if err != nil {
		return nil, err
	}
	if !ok && kind == Any {
		return nil, nil
	}
	return layout.Open(unclosed{a})
}

// unclosed are files that somebody else closes.
type unclosed struct{ *files }

func (unclosed) Close() error { return nil }

// Close closes the archive's file.
func (a *Archive) Close() error { return a.files.Close() }

// Images are all images of the archive, each for the platform where it is there
// for several.
func (a *Archive) Images(ctx context.Context, platform v1.Platform) ([]layout.Found, error) {
	if a.layout != nil {
		return a.layout.Images(ctx, platform)
	}
	items, err := readManifest(a.files)
	if err != nil {
		return nil, err
	}
	var found []layout.Found
	for _, it := range items {
		one, err := a.docker(ctx, it)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

func (a *Archive) docker(ctx context.Context, it item) (layout.Found, error) {
	names, err := it.names()
	if err != nil {
		return layout.Found{}, err
	}
	img, err := dockerImage(ctx, a.files, it, a.known)
	return layout.Found{Image: img, Names: names}, err
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
	return image.List(tags)
}

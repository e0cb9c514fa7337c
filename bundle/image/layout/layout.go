package layout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/davit-containers/davit/bundle/image"
)

// The names in a layout, and what its marker says.
const (
	IndexFile  = "index.json"
	MarkerFile = "oci-layout"
	Marker     = `{"imageLayoutVersion":"1.0.0"}`
)

// Annotations that name an image in index.json.
const (
	// Spec: annotations.md#pre-defined-annotation-keys
	RefName = "org.opencontainers.image.ref.name"
	// Compat(containerd): the whole name, where RefName is the tag alone.
	FullName = "io.containerd.image.name"
)

// BlobPath is the name of a blob's file.
func BlobPath(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

// Layout is an open image layout. It is an [image.Blobs].
type Layout struct {
	files Files
	index *v1.IndexManifest
}

// Open reads the index of a layout. The layout owns files from then on.
func Open(files Files) (*Layout, error) {
	index, err := readIndex(files)
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	return &Layout{files, index}, nil
}

// OpenDir opens the layout in a directory.
func OpenDir(path string) (*Layout, error) {
	files, err := Dir(path)
	if err != nil {
		return nil, err
	}
	return Open(files)
}

func readIndex(files Files) (*v1.IndexManifest, error) {
	if err := checkMarker(files); err != nil {
		return nil, err
	}
	raw, err := Read(files, IndexFile, image.MaxDocument)
	if err != nil {
		return nil, fmt.Errorf("opening an image layout: %w", err)
	}
	return ParseIndex(raw)
}

// ParseIndex checks an index.json.
func ParseIndex(raw []byte) (*v1.IndexManifest, error) {
	return image.ParseIndex(raw, types.OCIImageIndex)
}

func checkMarker(files Files) error {
	raw, err := Read(files, MarkerFile, image.MaxDocument)
	if err != nil {
		return fmt.Errorf("opening an image layout: %w", err)
	}
	var marker struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := json.Unmarshal(raw, &marker); err != nil {
		return image.Rejected("reading %s: %v", MarkerFile, err)
	}
	if !strings.HasPrefix(marker.Version, "1.") {
		return image.Rejected("reading %s: version %q is not supported", MarkerFile, marker.Version)
	}
	return nil
}

// Close gives the files back.
func (l *Layout) Close() error { return l.files.Close() }

// Entries are the descriptors of index.json, in its order.
func (l *Layout) Entries() []v1.Descriptor { return l.index.Manifests }

// OpenBlob opens a blob's file.
func (l *Layout) OpenBlob(_ context.Context, d v1.Descriptor, offset int64) (io.ReadCloser, error) {
	return OpenBlob(l.files, BlobPath(d.Digest), d, offset)
}

// OpenBlob opens a file that is the blob of a descriptor. A file of another
// size is refused at once.
func OpenBlob(files Files, name string, d v1.Descriptor, offset int64) (io.ReadCloser, error) {
	f, err := files.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, image.Rejected("reading %s: the blob is missing", d.Digest)
	}
	if err != nil {
		return nil, err
	}
	if f.Size() != d.Size {
		return nil, errors.Join(image.Rejected("reading %s: there are %d bytes, and its descriptor says %d", d.Digest, f.Size(), d.Size), f.Close())
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Image is the image of a name. With no name, it is the only one that there is
// for the platform.
func (l *Layout) Image(ctx context.Context, name string, platform v1.Platform) (*image.Image, error) {
	d, err := l.find(name, platform)
	if err != nil {
		return nil, err
	}
	return image.Resolve(ctx, l, d, platform)
}

func (l *Layout) find(name string, platform v1.Platform) (v1.Descriptor, error) {
	var found []v1.Descriptor
	for _, d := range l.index.Manifests {
		if name == "" || Named(d, name) {
			found = append(found, d)
		}
	}
	switch {
	case len(found) == 0:
		return v1.Descriptor{}, fmt.Errorf("looking for %q: %w%s", name, image.ErrNotFound, l.hint())
	case len(found) == 1:
		return found[0], nil
	case allHavePlatforms(found):
		return image.Choose(found, platform)
	}
	return v1.Descriptor{}, fmt.Errorf("choosing an image: there are %d%s", len(found), l.hint())
}

func allHavePlatforms(ds []v1.Descriptor) bool {
	for _, d := range ds {
		if d.Platform == nil {
			return false
		}
	}
	return true
}

// hint lists the names that there are.
func (l *Layout) hint() string {
	var names []string
	for _, d := range l.index.Manifests {
		if name := d.Annotations[RefName]; name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (there are: " + image.List(names) + ")"
}

// Named tells whether a descriptor has that name: as it stands, or as Docker
// writes it out, or by its digest.
func Named(d v1.Descriptor, name string) bool {
	if d.Annotations[RefName] == name || d.Annotations[FullName] == name || d.Digest.String() == name {
		return true
	}
	want, err := image.ParseName(name)
	have, ok := Name(d)
	return err == nil && ok && want == have
}

// Name is the whole name of a descriptor, if it has one.
func Name(d v1.Descriptor) (image.Name, bool) {
	for _, s := range []string{d.Annotations[FullName], d.Annotations[RefName]} {
		if name, ok := ParseName(s); ok {
			return name, true
		}
	}
	return image.Name{}, false
}

// ParseName reads a name that stands in a layout. A tag alone is none.
func ParseName(s string) (image.Name, bool) {
	if !strings.ContainsAny(s, "/:") {
		return image.Name{}, false
	}
	name, err := image.ParseName(s)
	return name, err == nil
}

// Found is an image of a layout, with its names there.
type Found struct {
	Image *image.Image
	Names []image.Name
}

// Images are all images of a layout, each once, and for the platform where it is
// there for several.
func (l *Layout) Images(ctx context.Context, platform v1.Platform) ([]Found, error) {
	var found []Found
	at := map[v1.Hash]int{}
	for _, d := range l.index.Manifests {
		n, ok := at[d.Digest]
		if !ok {
			img, err := image.Resolve(ctx, l, d, platform)
			if err != nil {
				return nil, err
			}
			n = len(found)
			at[d.Digest] = n
			found = append(found, Found{Image: img})
		}
		if name, ok := Name(d); ok && !slices.Contains(found[n].Names, name) {
			found[n].Names = append(found[n].Names, name)
		}
	}
	return found, nil
}

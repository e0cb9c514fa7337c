// Package source finds images wherever a location says that they are: in a
// registry, in an OCI image layout or in an archive.
//
// It is not for what is in the store already: see package store.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/archive"
	"github.com/davit-containers/davit/bundle/image/layout"
	"github.com/davit-containers/davit/bundle/image/registry"
)

// Options say how images are found.
type Options struct {
	// Platform is the one for which an image is chosen where there are several.
	// The zero value is that of this machine.
	Platform v1.Platform
	// Registry speaks to registries.
	Registry *registry.Client
	// TempDir is for archives that are compressed. "": that of the system.
	TempDir string
}

func (o Options) platform() v1.Platform {
	if o.Platform.OS == "" {
		return image.Host()
	}
	return o.Platform
}

// Found is an image, and what it is called where it was found.
type Found struct {
	Image *image.Image
	// Names are those that it has there. A tag alone is none.
	Names []image.Name
	// Repository is set for an image of a registry: see store.AddOptions.Source.
	Repository image.Name
}

// Images are open images. They can be read until they are closed.
type Images struct {
	io.Closer
	Found []Found
}

// Open finds what is at a location: all images of an archive or a layout where
// the location has no name, and else one.
//
// Errors: [image.ErrNotFound], an [image.RejectedError], those of the system and
// of package registry.
func Open(ctx context.Context, at image.Location, o Options) (*Images, error) {
	switch at.Transport {
	case image.Registry:
		return fromRegistry(ctx, at, o)
	case image.Layout:
		return fromLayout(ctx, at, o)
	case image.OCIArchive, image.DockerArchive:
		return fromArchive(ctx, at, o)
	}
	return nil, fmt.Errorf("opening %s: no such transport", at)
}

func fromRegistry(ctx context.Context, at image.Location, o Options) (*Images, error) {
	name, err := image.ParseName(at.Name)
	if err != nil {
		return nil, err
	}
	img, err := o.Registry.Image(ctx, name, o.platform())
	if err != nil {
		return nil, err
	}
	return &Images{nothing{}, []Found{{Image: img, Names: []image.Name{name}, Repository: name}}}, nil
}

type nothing struct{}

func (nothing) Close() error { return nil }

func fromLayout(ctx context.Context, at image.Location, o Options) (*Images, error) {
	l, err := layout.OpenDir(at.Path)
	if err != nil {
		return nil, err
	}
	if at.Name == "" {
		found, err := l.Images(ctx, o.platform())
		return collect(l, all(found), err)
	}
	img, err := l.Image(ctx, at.Name, o.platform())
	return collect(l, one(img, at.Name), err)
}

func fromArchive(ctx context.Context, at image.Location, o Options) (*Images, error) {
	f, err := os.Open(filepath.Clean(at.Path))
	if err != nil {
		return nil, err
	}
	a, err := archive.Stream(ctx, f, o.TempDir, archive.Kind(at.Transport))
	if err != nil {
		return nil, err
	}
	if at.Name == "" {
		return load(ctx, a, o)
	}
	img, err := a.Image(ctx, at.Name, o.platform())
	return collect(a, one(img, at.Name), err)
}

// Load finds all images of an archive of any kind, which may be compressed and
// come through a pipe. f is owned from then on.
func Load(ctx context.Context, f *os.File, o Options) (*Images, error) {
	a, err := archive.Stream(ctx, f, o.TempDir, archive.Any)
	if err != nil {
		return nil, err
	}
	return load(ctx, a, o)
}

func load(ctx context.Context, a *archive.Archive, o Options) (*Images, error) {
	found, err := a.Images(ctx, o.platform())
	return collect(a, all(found), err)
}

func collect(c io.Closer, found []Found, err error) (*Images, error) {
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &Images{c, found}, nil
}

// one is an image that was asked for by a name. A name that is a tag alone, or
// none at all, names nothing outside.
func one(img *image.Image, name string) []Found {
	f := Found{Image: img}
	if n, ok := layout.ParseName(name); ok {
		f.Names = []image.Name{n}
	}
	return []Found{f}
}

func all(found []layout.Found) []Found {
	out := make([]Found, len(found))
	for i, f := range found {
		out[i] = Found{Image: f.Image, Names: f.Names}
	}
	return out
}

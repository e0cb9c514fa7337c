package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/progress"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/programs"
)

// What --pull may say.
const (
	pullMissing = "missing"
	pullAlways  = "always"
	pullNever   = "never"
)

// pulls are what --pull may be.
var pulls = []string{pullMissing, pullAlways, pullNever}

// imageFor is the image of a new container: the store's, the one that this program
// brings along, or a registry's.
func (p *program) imageFor(ctx context.Context, s *store.Store, c *creation, ref string) (*store.Image, error) {
	switch c.pull {
	case pullMissing, pullNever, pullAlways:
	default:
		return nil, fmt.Errorf("--pull %q: it is missing, always or never", c.pull)
	}
	platform, err := c.wantedPlatform()
	if err != nil {
		return nil, err
	}
	if c.pull != pullAlways {
		img, err := s.Get(ctx, ref)
		if err == nil && suits(img, platform) {
			return img, nil
		}
		if err == nil && c.pull == pullNever {
			err = mismatch(ref, img, platform)
		}
		if c.pull == pullNever && errors.Is(err, image.ErrNotFound) {
			err = alike(ctx, s, ref, err)
		}
		if err != nil && !errors.Is(err, image.ErrNotFound) || c.pull == pullNever {
			return nil, err
		}
	}
	name, err := image.ParseName(ref)
	if err != nil {
		return nil, err
	}
	if name.Familiar() == helloName && c.pull == pullMissing && c.platform == "" {
		return hello(ctx, s, name)
	}
	return p.fetchFor(ctx, s, c, name)
}

// suits tells whether an image is for a platform that was asked for.
func suits(img *store.Image, platform v1.Platform) bool {
	c := img.Config()
	return platform.OS == "" || c.OS == platform.OS && c.Architecture == platform.Architecture && (platform.Variant == "" || c.Variant == platform.Variant)
}

// mismatch is what is wrong with an image that is for another platform.
// Compat(moby): its words.
func mismatch(ref string, img *store.Image, wanted v1.Platform) error {
	c := img.Config()
	actual := v1.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant}
	return fmt.Errorf("image with reference %s was found but does not match the specified platform: wanted %s, actual: %s", ref, wanted, actual)
}

// fetchFor fetches an image that is missing.
// Compat(moby): its words.
func (p *program) fetchFor(ctx context.Context, s *store.Store, c *creation, name image.Name) (*store.Image, error) {
	if c.pull == pullMissing && !c.quiet {
		fmt.Fprintf(p.err, "Unable to find image '%s' locally\n", name.Familiar())
	}
	at, err := image.ParseLocation(name.String())
	if err != nil {
		return nil, err
	}
	var all []added
	err = p.watch(c.transfer, func(report progress.Func) error {
		all, err = fetch(ctx, s, at, c.transfer, nil, report)
		return err
	})
	if err != nil {
		return nil, alike(ctx, s, name.Familiar(), fmt.Errorf("pulling %s: %w", name.Familiar(), err))
	}
	return all[0].Image, nil
}

// alike adds to an error about an image that is not there the name of one that is,
// and that may have been meant.
func alike(ctx context.Context, s *store.Store, ref string, err error) error {
	images, listErr := s.Images(ctx)
	if listErr != nil {
		return err
	}
	var names []string
	for _, img := range images {
		for _, n := range img.Names {
			names = append(names, n.Familiar(), strings.TrimSuffix(n.Familiar(), ":latest"))
		}
	}
	if meant := near(ref, names); meant != "" && meant != ref {
		return fmt.Errorf("%w [there is %s: did you mean that?]", err, meant)
	}
	return err
}

// helloName is the image that this program brings along.
const helloName = "hello-world:latest"

// hello puts the image hello-world into the store: one program, one file.
func hello(ctx context.Context, s *store.Store, name image.Name) (*store.Image, error) {
	var layer bytes.Buffer
	made := time.Unix(0, 0).UTC()
	w := tar.NewWriter(&layer)
	h := &tar.Header{Name: "hello", Mode: 0o755, Size: int64(len(programs.Hello())), ModTime: made, Typeflag: tar.TypeReg}
	err := w.WriteHeader(h)
	if err == nil {
		_, err = w.Write(programs.Hello())
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return s.Import(ctx, &layer, store.CommitOptions{
		Names:   []image.Name{name},
		History: v1.History{Created: v1.Time{Time: made}, CreatedBy: "davit-shim brings it along"},
		Change: func(c *image.Config) {
			c.OS, c.Architecture, c.Created = "linux", runtime.GOARCH, v1.Time{Time: made}
			c.Config.Cmd = []string{"/hello"}
		},
	})
}

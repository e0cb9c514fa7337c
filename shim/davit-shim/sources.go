package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/registry"
	"github.com/davit-containers/davit/bundle/image/source"
	"github.com/davit-containers/davit/bundle/progress"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/meter"
)

// transfer has the flags of the commands that bring or take images.
type transfer struct {
	progress string
	platform string
	quiet    bool
	unpack   bool
}

func (t *transfer) addProgress(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.progress, "progress", "auto", "show progress on standard error: `HOW` is auto, tty, plain, json or none")
	cmd.Flags().BoolVarP(&t.quiet, "quiet", "q", false, "say only what it came to")
}

func (t *transfer) addPlatform(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.platform, "platform", "", "where there are several, take the image for `OS/ARCHITECTURE[/VARIANT]` (default is this machine's)")
}

func (t *transfer) addUnpack(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&t.unpack, "unpack", os.Geteuid() == 0, "unpack the layers too, so that what is wrong with them shows now")
	cmd.Flags().Lookup("unpack").DefValue = "true" // which it is, when another user goes on as root
}

// watch runs work whose progress is shown.
func (p *program) watch(t transfer, work func(progress.Func) error) error {
	if t.quiet {
		t.progress = "none"
	}
	m, err := meter.New(t.progress, p.err)
	if err != nil {
		return err
	}
	defer m.Close()
	return work(m.Show)
}

// wantedPlatform is what --platform says.
func (t *transfer) wantedPlatform() (v1.Platform, error) {
	if t.platform == "" {
		return v1.Platform{}, nil
	}
	return image.ParsePlatform(t.platform)
}

// client speaks to registries.
func client(report progress.Func) (*registry.Client, error) {
	config, err := registry.ReadConfig(registry.ConfigPaths()...)
	if err != nil {
		return nil, err
	}
	config.CertificateDirs, config.ContainersFiles = registry.CertificateDirs(), registry.ContainersFiles()
	return registry.New(registry.Options{Config: config, Progress: report}), nil
}

// sourceOptions say how images are found.
func (t *transfer) sourceOptions(report progress.Func) (source.Options, error) {
	platform, err := t.wantedPlatform()
	if err != nil {
		return source.Options{}, err
	}
	c, err := client(report)
	return source.Options{Platform: platform, Registry: c}, err
}

// added is an image that has come into the store.
type added struct {
	*store.Image
	names []image.Name // those that it was given now
	known bool         // under these names it was there before
}

// add copies what was found into the store.
func add(ctx context.Context, s *store.Store, found []source.Found, t transfer, report progress.Func) ([]added, error) {
	if len(found) == 0 {
		return nil, errors.New("there are no images in it")
	}
	var all []added
	for _, f := range found {
		before := ids(ctx, s, f.Names)
		o := store.AddOptions{Source: f.Repository, Progress: report}
		if t.unpack {
			how, err := layerOptions()
			if err != nil {
				return all, err
			}
			o.Unpack = &store.LayerOptions{Layer: how, Progress: report}
		}
		img, err := s.Add(ctx, f.Image, tagged(f.Names), o)
		if err != nil {
			return all, fmt.Errorf("adding %s: %w", title(f), err)
		}
		all = append(all, added{img, f.Names, before[img.ID()]})
	}
	return all, nil
}

// tagged are the names with a tag: a digest is no name that can be given.
func tagged(names []image.Name) []image.Name {
	var list []image.Name
	for _, n := range names {
		if n.Tag() != "" {
			list = append(list, n)
		}
	}
	return list
}

// ids are those of the images that have the names now.
func ids(ctx context.Context, s *store.Store, names []image.Name) map[v1.Hash]bool {
	known := map[v1.Hash]bool{}
	for _, n := range names {
		if img, err := s.Get(ctx, n.String()); err == nil {
			known[img.ID()] = true
		}
	}
	return known
}

// title is what an image is called where it was found.
func title(f source.Found) string {
	if len(f.Names) > 0 {
		return f.Names[0].Familiar()
	}
	return f.Image.ID().String()
}

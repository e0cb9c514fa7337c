package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/diff"
	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/bundledir"
	"github.com/davit-containers/davit/shim/change"
)

// making has the flags of the commands that make an image.
type making struct {
	author, message, compression string
	changes                      []string
}

func (m *making) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&m.changes, "change", "c", nil, "apply a Dockerfile's `INSTRUCTION`: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME or WORKDIR")
	cmd.Flags().StringVarP(&m.message, "message", "m", "", "say `TEXT` in the image's history")
	cmd.Flags().StringVar(&m.compression, "compression", "gzip", "compress the layer by `HOW`: gzip, zstd or none")
}

// compressions are what --compression may be.
var compressions = []string{"gzip", "zstd", "none"}

// options are what the flags and a name say of the new image.
func (m *making) options(names []string) (store.CommitOptions, error) {
	o := store.CommitOptions{Compression: store.Compression(m.compression), History: v1.History{Author: m.author, Comment: m.message}}
	var err error
	if o.Names, err = givenNames(names); err != nil {
		return o, err
	}
	if err := applyAll(new(image.Config), m.changes); err != nil {
		return o, err
	}
	o.Change = func(c *image.Config) {
		_ = applyAll(c, m.changes) // that they are right was seen above
		if m.author != "" {
			c.Author = m.author
		}
	}
	return o, nil
}

// givenNames reads names that images are to have.
func givenNames(texts []string) (names []image.Name, err error) {
	for _, text := range texts {
		n, err := image.ParseName(text)
		if err != nil {
			return nil, err
		}
		if n.Tag() == "" {
			return nil, fmt.Errorf("naming an image %s: a name with a digest is none that can be given", text)
		}
		names = append(names, n)
	}
	return names, nil
}

// applyAll applies instructions, the first first.
func applyAll(c *image.Config, instructions []string) error {
	for _, text := range instructions {
		if err := change.Apply(c, text); err != nil {
			return err
		}
	}
	return nil
}

// committing has the flags of davit-shim commit.
type committing struct {
	making
	pause bool
}

// commitCommand is davit-shim commit.
func (p *program) commitCommand() *cobra.Command {
	var m committing
	cmd := &cobra.Command{
		Use:   "commit CONTAINER|BUNDLE [NAME]",
		Short: "make an image of what was changed in a container or a bundle",
		Long: `Makes a new image of the image of a container, or of a bundle, which is a directory,
and a layer with what was changed. What the configuration mounts is not in the
layer. The flags that a container was made with are its image's defaults: command,
environment, user, labels and the like. Prints the image's ID.`,
		Args: between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return p.commit(cmd.Context(), m, args) },
	}
	m.add(cmd)
	cmd.Flags().StringVarP(&m.author, "author", "a", "", "name the image's `AUTHOR`")
	cmd.Flags().BoolVarP(&m.pause, "pause", "p", true, "pause a container that runs meanwhile")
	return cmd
}

func (p *program) commit(ctx context.Context, m committing, args []string) error {
	o, err := m.options(args[1:])
	if err != nil {
		return err
	}
	b, c, err := p.bundleOf(args[0])
	if err != nil {
		return err
	}
	if c != nil {
		change := o.Change
		o.Change = func(f *image.Config) {
			defaultsOf(c.Config, f)
			change(f)
		}
	}
	var img *store.Image
	err = p.paused(ctx, c, m.pause, func() error {
		img, err = p.commitBundle(ctx, b, m, o)
		return err
	})
	if err != nil {
		return err
	}
	if c != nil {
		note(c, "commit", map[string]string{"imageID": img.ID().String()})
	}
	_, err = fmt.Fprintln(p.out, img.ID())
	return err
}

func (p *program) commitBundle(ctx context.Context, b *bundledir.Bundle, m committing, o store.CommitOptions) (*store.Image, error) {
	s, err := store.Open(b.Store)
	if err != nil {
		return nil, err
	}
	if o.Base, err = s.Get(ctx, b.Image); err != nil {
		return nil, err
	}
	how, err := b.Difference()
	if err != nil {
		return nil, err
	}
	how.Skipped = func(path, what string) { fmt.Fprintf(p.err, "%s: /%s is left out: %s\n", name, path, what) }
	o.Layer = func(ctx context.Context, w io.Writer) error { return diff.Layer(ctx, w, b.Before(), b.Now(), how) }
	o.History.CreatedBy = "davit-shim commit"
	if len(m.changes) > 0 {
		o.History.CreatedBy += " " + strings.Join(m.changes, "; ")
	}
	return s.Commit(ctx, o)
}

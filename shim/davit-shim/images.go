package main

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/listing"
)

// gallery has the flags of davit-shim images.
type gallery struct {
	all, digests, whole, idOnly bool
	format                      string
	filters                     []string
}

// imageColumns are what images can print.
var imageColumns = []listing.Column{
	{Name: "Repository", Header: "REPOSITORY"}, {Name: "Tag", Header: "TAG"}, {Name: "Digest", Header: "DIGEST"},
	{Name: "ID", Header: "IMAGE ID"}, {Name: "Parent", Header: "PARENT"}, {Name: "CreatedSince", Header: "CREATED"},
	{Name: "CreatedAt", Header: "CREATED AT"}, {Name: "Size", Header: "SIZE"}, {Name: "Origin", Header: "ORIGIN"},
}

// imagesCommand is davit-shim images.
func (p *program) imagesCommand() *cobra.Command {
	var g gallery
	cmd := &cobra.Command{
		Use:   "images [NAME]",
		Short: "list images",
		Long: `Lists the images that are kept, the newest first; with NAME those of a repository,
or of a repository and a tag. SIZE is that of the layers as they are kept,
compressed. With --all the layers of each image follow it, the topmost first, with
their chain IDs, what is below them, and what made them.

Filters: dangling=true|false (has no name), label=NAME[=VALUE], reference=PATTERN,
before=IMAGE, since=IMAGE, until=TIME|AGE. --format takes Repository, Tag, Digest,
ID, Parent, CreatedSince, CreatedAt, Size and Origin.`,
		Args: between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.images(cmd.Context(), g, args) },
	}
	cmd.Flags().BoolVarP(&g.all, "all", "a", false, "list layers too")
	cmd.Flags().BoolVar(&g.digests, "digests", false, "show digests")
	cmd.Flags().StringArrayVarP(&g.filters, "filter", "f", nil, "list only those for which `KEY=VALUE` holds")
	cmd.Flags().StringVar(&g.format, "format", "", "print by `TEMPLATE`, or table, table TEMPLATE, json")
	cmd.Flags().BoolVar(&g.whole, "no-trunc", false, "print IDs in full")
	cmd.Flags().BoolVarP(&g.idOnly, "quiet", "q", false, "print only IDs")
	return cmd
}

func (p *program) images(ctx context.Context, g gallery, args []string) error {
	s, err := p.store()
	if err != nil {
		return err
	}
	f, err := newImageFilter(ctx, s, g.filters, args, p.now())
	if err != nil {
		return err
	}
	images, err := s.Images(ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(images, func(a, b *store.Image) int { return created(b).Compare(created(a)) })
	var rows []listing.Row
	shown := map[string]bool{}
	for _, img := range images {
		if f.shows(img) {
			rows = append(rows, g.rows(img, f, shown, p.now())...)
		}
	}
	return g.listing().Print(p.out, g.template(), rows)
}

// created is when an image was made.
func created(img *store.Image) time.Time { return img.Config().Created.Time }

// listing is what is printed by default.
func (g gallery) listing() listing.Listing {
	table := "{{.Repository}}\t{{.Tag}}\t"
	if g.digests {
		table += "{{.Digest}}\t"
	}
	if g.all {
		return listing.Listing{Columns: imageColumns, Table: table + "{{.ID}}\t{{.Parent}}\t{{.CreatedSince}}\t{{.Size}}\t{{.Origin}}"}
	}
	return listing.Listing{Columns: imageColumns, Table: table + "{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"}
}

func (g gallery) template() string {
	if g.idOnly {
		return "{{.ID}}"
	}
	return g.format
}

// rows are a line for each name of an image that is to be shown, and its layers.
func (g gallery) rows(img *store.Image, f *imageFilter, shown map[string]bool, now time.Time) []listing.Row {
	var rows []listing.Row
	for _, n := range namesOf(img) {
		if !f.named(n) {
			continue
		}
		row := g.row(img, now)
		if !n.IsZero() {
			row["Repository"] = n.FamiliarRepository()
		}
		if n.Tag() != "" {
			row["Tag"] = n.Tag()
		}
		rows = append(rows, row)
	}
	if g.all && len(rows) > 0 {
		rows = append(rows, g.layers(img, shown, now)...)
	}
	return rows
}

// namesOf are an image's tags, or else the repositories that it came from, or
// else no name.
func namesOf(img *store.Image) []image.Name {
	if len(img.Names) > 0 {
		return img.Names
	}
	seen := map[string]bool{}
	names := slices.DeleteFunc(slices.Clone(img.Digests), func(n image.Name) bool {
		again := seen[n.Repository()]
		seen[n.Repository()] = true
		return again
	})
	if len(names) == 0 {
		return []image.Name{{}}
	}
	return names
}

// row is an image without a name.
func (g gallery) row(img *store.Image, now time.Time) listing.Row {
	all := steps(img)
	row := listing.Row{
		"Repository": listing.None, "Tag": listing.None, "Digest": img.Descriptor().Digest.String(),
		"ID": g.id(img.ID().String()), "Parent": "", "Origin": "",
		"CreatedSince": listing.Ago(created(img), now), "CreatedAt": listing.At(created(img)), "Size": listing.Size(sizeOf(img)),
	}
	if chains := img.ChainIDs(); len(chains) > 0 {
		row["Parent"] = g.id(chains[len(chains)-1].String())
		row["Origin"] = g.origin(all[len(all)-1].History)
	}
	return row
}

// layers are those of an image that were not shown before, the topmost first.
func (g gallery) layers(img *store.Image, shown map[string]bool, now time.Time) []listing.Row {
	var rows []listing.Row
	parent := ""
	for _, s := range steps(img) {
		if s.chain == "" {
			continue
		}
		if !shown[s.chain] {
			rows = append(rows, listing.Row{
				"Repository": listing.None, "Tag": listing.None, "Digest": listing.None, "ID": g.id(s.chain), "Parent": g.id(parent),
				"CreatedSince": listing.Ago(s.Created.Time, now), "CreatedAt": listing.At(s.Created.Time),
				"Size": listing.Size(s.size), "Origin": g.origin(s.History),
			})
		}
		shown[s.chain], parent = true, s.chain
	}
	slices.Reverse(rows)
	return rows
}

// origin is what made a layer.
func (g gallery) origin(h v1.History) string {
	text := listing.Line(madeBy(h.CreatedBy))
	if g.whole {
		return text
	}
	return listing.Cut(text, 45)
}

// id is an ID as it is to be printed.
func (g gallery) id(id string) string {
	if g.whole {
		return id
	}
	return listing.Short(id)
}

// sizeOf is how many bytes the layers of an image are, as they are kept.
func sizeOf(img *store.Image) int64 {
	var n int64
	for _, d := range img.LayerDescriptors() {
		n += d.Size
	}
	return n
}

// imageFilter says which images are shown.
type imageFilter struct {
	listing.Filters
	before, since, until time.Time
	dangling             *bool
	name                 string
}

// newImageFilter reads the filters. Those that name an image look it up.
func newImageFilter(ctx context.Context, s *store.Store, list, args []string, now time.Time) (*imageFilter, error) {
	filters, err := listing.ParseFilters(list, "before", "dangling", "label", "reference", "since", "until")
	if err != nil {
		return nil, err
	}
	f := &imageFilter{Filters: filters}
	if len(args) > 0 {
		f.name = args[0]
	}
	if value, given, err := filters.Bool("dangling"); err != nil {
		return nil, err
	} else if given {
		f.dangling = &value
	}
	for key, to := range map[string]*time.Time{"before": &f.before, "since": &f.since} {
		for _, ref := range filters[key] {
			img, err := s.Get(ctx, ref)
			if err != nil {
				return nil, fmt.Errorf("--filter \"%s=%s\": %w", key, ref, err)
			}
			*to = created(img)
		}
	}
	for _, text := range filters["until"] {
		if f.until, err = moment(text, now); err != nil {
			return nil, fmt.Errorf("--filter \"until=%s\": %w", text, err)
		}
	}
	for _, pattern := range filters["reference"] {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("--filter \"reference=%s\": %w", pattern, err)
		}
	}
	return f, nil
}

// shows tells whether an image, under any name, is one that is wanted.
func (f *imageFilter) shows(img *store.Image) bool {
	at := created(img)
	switch {
	case f.dangling != nil && *f.dangling != (len(img.Names) == 0),
		!f.before.IsZero() && !at.Before(f.before),
		!f.since.IsZero() && !at.After(f.since),
		!f.until.IsZero() && !at.Before(f.until):
		return false
	}
	return f.Labels(img.Config().Config.Labels)
}

// named tells whether a name is one that is wanted.
func (f *imageFilter) named(n image.Name) bool {
	if f.name != "" && !matches(f.name, n) {
		return false
	}
	return f.Any("reference", func(pattern string) bool { return matches(pattern, n) })
}

// matches tells whether a pattern is that of a name, with or without its tag,
// short or whole.
func matches(pattern string, n image.Name) bool {
	if n.IsZero() {
		return false
	}
	for _, text := range []string{n.Familiar(), n.FamiliarRepository(), n.String(), n.Repository()} {
		if ok, _ := path.Match(pattern, text); ok {
			return true
		}
	}
	return false
}

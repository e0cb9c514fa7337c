package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/listing"
)

// inspection has the flags of davit-shim inspect.
type inspection struct{ format string }

// details are all that is known of an image.
// Compat(moby): the names and their order; Digest and Layers are ours.
type details struct {
	ID           string `json:"Id"`
	RepoTags     []string
	RepoDigests  []string
	Comment      string
	Created      string
	Author       string
	Architecture string
	Variant      string `json:",omitempty"`
	Os           string
	Size         int64
	Config       v1.Config
	RootFS       rootFS
	Digest       string
	MediaType    string
	Layers       []layerDetails
	History      []v1.History
}

// rootFS are the layers by the digests of what is in them.
type rootFS struct {
	Type   string
	Layers []string
}

// layerDetails are what is known of a layer.
type layerDetails struct {
	ChainID   string
	Parent    string `json:",omitempty"`
	DiffID    string
	Digest    string
	MediaType string
	Size      int64
}

// inspectCommand is davit-shim inspect.
func (p *program) inspectCommand() *cobra.Command {
	var i inspection
	cmd := &cobra.Command{
		Use:   "inspect IMAGE...",
		Short: "show all that is known of images",
		Long: `Prints a JSON array. A template of --format is given one image at a time, and
names fields as the JSON does: {{.Config.Env}}, {{json .RootFS.Layers}}.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.inspect(cmd.Context(), i, args) },
	}
	cmd.Flags().StringVarP(&i.format, "format", "f", "", "print by `TEMPLATE`, or json")
	return cmd
}

// inspect prints those images that there are, and fails if there was one that there is not.
func (p *program) inspect(ctx context.Context, i inspection, refs []string) error {
	s, err := p.store()
	if err != nil {
		return err
	}
	var errs []error
	found := []details{}
	for _, ref := range refs {
		img, err := s.Get(ctx, ref)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found = append(found, detailsOf(img))
	}
	return errors.Join(append([]error{printDetails(p.out, i.format, found)}, errs...)...)
}

// printDetails prints values by the format that is wanted: all as a JSON array, or
// one at a time by a template.
func printDetails[T any](w io.Writer, format string, found []T) error {
	if format == "" || format == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		if format == "" {
			enc.SetIndent("", "    ")
		}
		return enc.Encode(found)
	}
	t, err := listing.Template(format)
	if err != nil {
		return err
	}
	for _, d := range found {
		fields, err := generic(d)
		if err != nil {
			return err
		}
		if err := listing.Execute(w, t, fields); err != nil {
			return err
		}
	}
	return nil
}

// generic is a value as JSON has it, so that a template names what is printed.
func generic(v any) (any, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var fields any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	err = dec.Decode(&fields)
	return fields, err
}

// detailsOf are what is known of an image.
func detailsOf(img *store.Image) details {
	c := img.Config()
	d := details{
		ID: img.ID().String(), RepoTags: []string{}, RepoDigests: []string{},
		Created: c.Created.UTC().Format(time.RFC3339Nano), Author: c.Author,
		Architecture: c.Architecture, Variant: c.Variant, Os: c.OS, Size: sizeOf(img), Config: c.Config,
		RootFS: rootFS{Type: c.RootFS.Type, Layers: []string{}}, Digest: img.Descriptor().Digest.String(),
		MediaType: string(img.Descriptor().MediaType), Layers: []layerDetails{}, History: c.History,
	}
	if n := len(c.History); n > 0 {
		d.Comment = c.History[n-1].Comment
	}
	for _, n := range img.Names {
		d.RepoTags = append(d.RepoTags, n.Familiar())
	}
	for _, n := range img.Digests {
		d.RepoDigests = append(d.RepoDigests, n.Familiar())
	}
	chains, parent := img.ChainIDs(), ""
	for i, l := range img.LayerDescriptors() {
		diffID := c.RootFS.DiffIDs[i].String()
		d.RootFS.Layers = append(d.RootFS.Layers, diffID)
		d.Layers = append(d.Layers, layerDetails{
			ChainID: chains[i].String(), Parent: parent, DiffID: diffID,
			Digest: l.Digest.String(), MediaType: string(l.MediaType), Size: l.Size,
		})
		parent = chains[i].String()
	}
	return d
}

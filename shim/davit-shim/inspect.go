package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/listing"
	"github.com/davit-containers/davit/shim/network"
	"github.com/davit-containers/davit/shim/volume"
)

// inspection has the flags of davit-shim inspect.
type inspection struct {
	format, kind string
	size         bool
}

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
	Config       image.Defaults
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
		Use:   "inspect CONTAINER|IMAGE...",
		Short: "show all that is known of containers, images, networks or volumes",
		Long: `Prints a JSON array. What a name is is looked for in this order: a container, an
image, a network, a volume; --type says which it is. A template of --format is given
one at a time, and names fields as the JSON does: {{.State.Status}},
{{json .Config.Env}}.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.inspect(cmd.Context(), i, args) },
	}
	cmd.Flags().StringVarP(&i.format, "format", "f", "", "print by `TEMPLATE`, or json")
	cmd.Flags().StringVar(&i.kind, "type", "", "what is meant: `TYPE` is container, image, network or volume")
	cmd.Flags().BoolVarP(&i.size, "size", "s", false, "tell how much containers have written")
	return cmd
}

// kinds are what --type may be, in the order in which a name is looked for.
var kinds = []string{"container", "image", "network", "volume"}

// inspect prints those things that there are, and fails if there was one that there is not.
func (p *program) inspect(ctx context.Context, i inspection, refs []string) error {
	if i.kind != "" && !slices.Contains(kinds, i.kind) {
		return fmt.Errorf("--type %q: it is %s", i.kind, strings.Join(kinds, ", "))
	}
	var errs []error
	found := []any{}
	for _, ref := range refs {
		d, err := p.look(ctx, i, ref)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found = append(found, d)
	}
	return errors.Join(append([]error{printDetails(p.out, i.format, found)}, errs...)...)
}

// look finds what a name is, of any kind that is asked for.
// Compat(moby): its words.
func (p *program) look(ctx context.Context, i inspection, ref string) (any, error) {
	for _, kind := range kinds {
		if i.kind != "" && kind != i.kind {
			continue
		}
		d, err := p.lookUp(ctx, i, kind, ref)
		if err == nil || i.kind != "" || !isMissing(err) {
			return d, err
		}
	}
	return nil, fmt.Errorf("No such object: %s", ref)
}

// isMissing tells whether there is nothing of a name.
func isMissing(err error) bool {
	for _, missing := range []error{container.ErrNotExist, image.ErrNotFound, network.ErrNotExist, volume.ErrNotExist} {
		if errors.Is(err, missing) {
			return true
		}
	}
	return false
}

// lookUp is what is known of a thing of one kind.
func (p *program) lookUp(ctx context.Context, i inspection, kind, ref string) (any, error) {
	switch kind {
	case "container":
		c, err := p.container(ref)
		if err != nil {
			return nil, err
		}
		return containerDetailsOf(c, i.size)
	case "network":
		return p.lookUpNetwork(ref)
	case "volume":
		return p.lookUpVolume(ref)
	}
	s, err := p.store()
	if err != nil {
		return nil, err
	}
	img, err := s.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	return detailsOf(img), nil
}

func (p *program) lookUpNetwork(ref string) (any, error) {
	s, err := p.networks()
	if err != nil {
		return nil, err
	}
	n, err := s.Find(ref)
	if err != nil {
		return nil, err
	}
	attachments, err := s.Attachments()
	if err != nil {
		return nil, err
	}
	containers, err := p.containers()
	return networkDetailsOf(n, attachments, containers), err
}

func (p *program) lookUpVolume(ref string) (any, error) {
	s, err := p.volumes()
	if err != nil {
		return nil, err
	}
	v, err := s.Get(ref)
	if err != nil {
		return nil, err
	}
	return volumeDetailsOf(v), nil
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
		Architecture: c.Architecture, Variant: c.Variant, Os: c.OS, Size: sizeOf(img), Config: img.OwnConfig().Defaults(),
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

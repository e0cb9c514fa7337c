package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/listing"
)

// step is one entry of an image's history.
type step struct {
	v1.History
	chain string // the chain ID of the layer that it made, "" for none
	size  int64
}

// steps is how an image was made, the first step first. What a history does not
// tell of is there too: each layer is in exactly one step.
func steps(img *store.Image) []step {
	layers, chains := img.LayerDescriptors(), img.ChainIDs()
	var all []step
	next := 0
	take := func(h v1.History) {
		s := step{History: h}
		if !h.EmptyLayer && next < len(layers) {
			s.chain, s.size = chains[next].String(), layers[next].Size
			next++
		}
		all = append(all, s)
	}
	for _, h := range img.Config().History {
		take(h)
	}
	for next < len(layers) {
		take(v1.History{})
	}
	return all
}

// chronicle has the flags of davit-shim history.
type chronicle struct {
	format               string
	human, whole, idOnly bool
}

// missing stands for an ID that there is not.
// Compat(moby): its text.
const missing = "<missing>"

// histories are what history prints.
var histories = listing.Listing{
	Columns: []listing.Column{
		{Name: "ID", Header: "IMAGE"}, {Name: "CreatedSince", Header: "CREATED"}, {Name: "CreatedAt", Header: "CREATED AT"},
		{Name: "CreatedBy", Header: "CREATED BY"}, {Name: "Size", Header: "SIZE"}, {Name: "Comment", Header: "COMMENT"},
	},
	Table: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
}

// historyCommand is davit-shim history.
func (p *program) historyCommand() *cobra.Command {
	var c chronicle
	cmd := &cobra.Command{
		Use:   "history IMAGE",
		Short: "show how an image was made",
		Long: `Lists the steps by which the image was made, the last first. The first line has
the image's ID, others the chain ID of the layer that the step made, as images -a
shows it. SIZE is that of the layer as it is kept, compressed.

--format takes ID, CreatedSince, CreatedAt, CreatedBy, Size and Comment.`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.history(cmd.Context(), c, args[0]) },
	}
	cmd.Flags().StringVar(&c.format, "format", "", "print by `TEMPLATE`, or table, table TEMPLATE, json")
	cmd.Flags().BoolVarP(&c.human, "human", "H", true, "print sizes and times for a person")
	cmd.Flags().BoolVar(&c.whole, "no-trunc", false, "print everything in full")
	cmd.Flags().BoolVarP(&c.idOnly, "quiet", "q", false, "print only IDs")
	return cmd
}

func (p *program) history(ctx context.Context, c chronicle, ref string) error {
	_, img, err := p.image(ctx, ref)
	if err != nil {
		return err
	}
	all := steps(img)
	var rows []listing.Row
	for i := len(all) - 1; i >= 0; i-- {
		id := all[i].chain
		if i == len(all)-1 {
			id = img.ID().String()
		}
		rows = append(rows, c.row(all[i], id, p.now()))
	}
	format := c.format
	if c.idOnly {
		format = "{{.ID}}"
	}
	return histories.Print(p.out, format, rows)
}

// row is a step as it is printed.
func (c chronicle) row(s step, id string, now time.Time) listing.Row {
	row := listing.Row{
		"ID": missing, "CreatedSince": listing.Ago(s.Created.Time, now), "CreatedAt": rfc3339(s.Created.Time),
		"CreatedBy": listing.Line(madeBy(s.CreatedBy)), "Size": listing.Size(s.size), "Comment": listing.Line(s.Comment),
	}
	if !c.human {
		row["CreatedSince"], row["Size"] = row["CreatedAt"], strconv.FormatInt(s.size, 10)
	}
	if id != "" {
		row["ID"] = id
	}
	if !c.whole {
		const width = 45 // Compat(moby)
		row["CreatedBy"], row["Comment"] = listing.Cut(row["CreatedBy"], width), listing.Cut(row["Comment"], width)
		if id != "" {
			row["ID"] = listing.Short(id)
		}
	}
	return row
}

// madeBy is a command without what only says that it ran nothing.
func madeBy(command string) string {
	return strings.TrimSpace(strings.TrimPrefix(command, "/bin/sh -c #(nop) "))
}

// rfc3339 is a time, "" for none.
func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.RFC3339)
}

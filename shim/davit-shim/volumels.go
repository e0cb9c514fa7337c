package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/listing"
	"github.com/davit-containers/davit/shim/volume"
)

// volumeListing are what volume ls prints.
// Compat(moby): the columns.
var volumeListing = listing.Listing{
	Columns: []listing.Column{
		{Name: "Driver", Header: "DRIVER"}, {Name: "Name", Header: "VOLUME NAME"}, {Name: "Scope", Header: "SCOPE"},
		{Name: "Mountpoint", Header: "MOUNTPOINT"}, {Name: "Labels", Header: "LABELS"}, {Name: "Links", Header: "LINKS"}, {Name: "Size", Header: "SIZE"},
	},
	Table: "{{.Driver}}\t{{.Name}}",
}

// volumeListCommand is davit-shim volume ls.
func (p *program) volumeListCommand() *cobra.Command {
	var c catalogue
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "list volumes",
		Long: `Lists the volumes, by name. Filters: name=PART, label=NAME[=VALUE], driver=local,
dangling=true|false (no container has it). --format takes Driver, Name, Scope,
Mountpoint, Labels, Links (how many containers have it) and Size.`,
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error { return p.volumeList(c) },
	}
	c.add(cmd)
	return cmd
}

func (p *program) volumeList(c catalogue) error {
	s, err := p.volumes()
	if err != nil {
		return err
	}
	f, err := listing.ParseFilters(c.filters, "dangling", "driver", "label", "name")
	if err != nil {
		return err
	}
	dangling, given, err := f.Bool("dangling")
	if err != nil {
		return err
	}
	all, err := s.List()
	if err != nil {
		return err
	}
	var rows []listing.Row
	for _, v := range all {
		if f.Labels(v.Labels) && (!given || dangling == (len(v.Users) == 0)) &&
			f.Any("driver", func(want string) bool { return want == "local" }) &&
			f.Any("name", func(part string) bool { return nameHas(v.Name, part) }) {
			rows = append(rows, volumeRow(s, v, c))
		}
	}
	if c.quiet {
		c.format = "{{.Name}}"
	}
	return volumeListing.Print(p.out, c.format, rows)
}

// volumeRow is a volume as it is printed. Its size is measured only where it is
// asked for: every file of it is looked at.
func volumeRow(s *volume.Store, v volume.Volume, c catalogue) listing.Row {
	row := listing.Row{
		"Driver": "local", "Name": v.Name, "Scope": "local", "Mountpoint": v.Path, "Labels": joined(v.Labels),
		"Links": strconv.Itoa(len(v.Users)), "Size": "N/A",
	}
	row.SetLabels(v.Labels)
	if c.asksFor("Size") {
		if bytes, err := s.Size(v.Name); err == nil {
			row["Size"] = listing.Size(bytes)
		}
	}
	return row
}

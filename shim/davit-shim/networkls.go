package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/listing"
	"github.com/davit-containers/davit/shim/network"
)

// networkListing are what network ls prints.
// Compat(moby): the columns.
var networkListing = listing.Listing{
	Columns: []listing.Column{
		{Name: "ID", Header: "NETWORK ID"}, {Name: "Name", Header: "NAME"}, {Name: "Driver", Header: "DRIVER"},
		{Name: "Scope", Header: "SCOPE"}, {Name: "Internal", Header: "INTERNAL"}, {Name: "IPv6", Header: "IPV6"},
		{Name: "Labels", Header: "LABELS"}, {Name: "CreatedAt", Header: "CREATED AT"}, {Name: "Subnets", Header: "SUBNETS"},
	},
	Table: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
}

// catalogue has the flags of network ls and volume ls.
type catalogue struct {
	format  string
	filters []string
	whole   bool
	quiet   bool
}

// networkListCommand is davit-shim network ls.
func (p *program) networkListCommand() *cobra.Command {
	var c catalogue
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "list networks",
		Long: `Lists the networks, by name. Filters: name=PART, id=BEGINNING, label=NAME[=VALUE],
driver=bridge, type=custom|builtin, dangling=true|false (no container is in it).
--format takes ID, Name, Driver, Scope, Internal, IPv6, Labels, CreatedAt and
Subnets.`,
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error { return p.networkList(c) },
	}
	c.add(cmd)
	cmd.Flags().BoolVar(&c.whole, "no-trunc", false, "print IDs in full")
	return cmd
}

// add adds the flags that all lists have.
func (c *catalogue) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&c.filters, "filter", "f", nil, "list only those for which `KEY=VALUE` holds")
	cmd.Flags().StringVar(&c.format, "format", "", "print by `TEMPLATE`, or table, table TEMPLATE, json")
	cmd.Flags().BoolVarP(&c.quiet, "quiet", "q", false, "print only IDs or names")
}

// asksFor tells whether a template names a column.
func (c catalogue) asksFor(column string) bool { return strings.Contains(c.format, "."+column) }

func (p *program) networkList(c catalogue) error {
	s, err := p.networks()
	if err != nil {
		return err
	}
	want, err := networkFilter(s, c.filters)
	if err != nil {
		return err
	}
	all, err := s.List()
	if err != nil {
		return err
	}
	var rows []listing.Row
	for _, n := range all {
		if want(n) {
			rows = append(rows, networkRow(n, c.whole))
		}
	}
	if c.quiet {
		c.format = "{{.ID}}"
	}
	return networkListing.Print(p.out, c.format, rows)
}

// networkFilter reads the filters of network ls.
func networkFilter(s *network.Store, list []string) (func(network.Network) bool, error) {
	f, err := listing.ParseFilters(list, "dangling", "driver", "id", "label", "name", "type")
	if err != nil {
		return nil, err
	}
	dangling, given, err := f.Bool("dangling")
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	if given {
		if used, err = attached(s); err != nil {
			return nil, err
		}
	}
	return func(n network.Network) bool {
		return f.Labels(n.Labels) && (!given || dangling != used[n.Name]) &&
			f.Any("driver", func(v string) bool { return v == "bridge" }) &&
			f.Any("id", func(v string) bool { return strings.HasPrefix(n.ID, v) }) &&
			f.Any("name", func(v string) bool { return nameHas(n.Name, v) }) &&
			f.Any("type", func(v string) bool { return (n.Name == network.DefaultName) == (v == "builtin") })
	}, nil
}

// nameHas tells whether a name has a part; ^ and $ are its ends.
// Compat(moby): where a name is filtered by a regular expression, these are what is used of it.
func nameHas(name, part string) bool {
	begin, fromBegin := strings.CutPrefix(part, "^")
	end, toEnd := strings.CutSuffix(begin, "$")
	end = strings.TrimPrefix(end, "/")
	switch {
	case fromBegin && toEnd:
		return name == end
	case fromBegin:
		return strings.HasPrefix(name, end)
	case toEnd:
		return strings.HasSuffix(name, end)
	}
	return strings.Contains(name, end)
}

// attached are the names of the networks that containers are in.
func attached(s *network.Store) (map[string]bool, error) {
	all, err := s.Attachments()
	used := map[string]bool{}
	for _, a := range all {
		for _, j := range a.Networks {
			used[j.Network] = true
		}
	}
	return used, err
}

func networkRow(n network.Network, whole bool) listing.Row {
	row := listing.Row{
		"ID": n.ID, "Name": n.Name, "Driver": "bridge", "Scope": "local", "Internal": strconv.FormatBool(n.Internal), "IPv6": strconv.FormatBool(hasIPv6(n)),
		"Labels": joined(n.Labels), "CreatedAt": n.Created.Format(time.RFC3339Nano),
	}
	row.SetLabels(n.Labels)
	if !whole {
		row["ID"] = listing.Short(n.ID)
	}
	var subnets []string
	for _, s := range n.Subnets {
		subnets = append(subnets, s.Prefix.String())
	}
	row["Subnets"] = strings.Join(subnets, ",")
	return row
}

func hasIPv6(n network.Network) bool {
	return slices.ContainsFunc(n.Subnets, func(s network.Subnet) bool { return !s.Prefix.Addr().Is4() })
}

// joined are labels in a line, in order.
func joined(labels map[string]string) string {
	var all []string
	for key, value := range labels {
		all = append(all, key+"="+value)
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

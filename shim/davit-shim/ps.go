package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/bundledir"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/links"
	"github.com/davit-containers/davit/shim/listing"
	"github.com/davit-containers/davit/shim/network"
)

// roster has the flags of davit-shim ps.
type roster struct {
	all, quiet, whole, size, latest bool
	last                            int
	format                          string
	filters                         []string
}

// containerColumns are what ps can print.
// Compat(moby): the names.
var containerColumns = []listing.Column{
	{Name: "ID", Header: "CONTAINER ID"}, {Name: "Image", Header: "IMAGE"}, {Name: "Command", Header: "COMMAND"},
	{Name: "RunningFor", Header: "CREATED"}, {Name: "CreatedAt", Header: "CREATED AT"}, {Name: "Status", Header: "STATUS"},
	{Name: "State", Header: "STATE"}, {Name: "Ports", Header: "PORTS"}, {Name: "Names", Header: "NAMES"}, {Name: "Size", Header: "SIZE"},
	{Name: "Labels", Header: "LABELS"}, {Name: "Mounts", Header: "MOUNTS"}, {Name: "Networks", Header: "NETWORKS"},
	{Name: "LocalVolumes", Header: "LOCAL VOLUMES"}, {Name: "Pid", Header: "PID"},
}

// psCommand is davit-shim ps.
func (p *program) psCommand() *cobra.Command {
	var r roster
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "list containers",
		Long: `Lists the containers that run, or with --all every container, the newest first.

Filters: id, name (a part of it, or a regular expression), label=NAME[=VALUE],
status=created|running|paused|restarting|exited|dead, exited=STATUS, health=none|
starting|healthy|unhealthy, ancestor=IMAGE, before=CONTAINER, since=CONTAINER,
volume=NAME|DIR, network=NAME, publish=PORT, expose=PORT. A filter on the status
looks at all containers. --format takes ID, Image, Command, RunningFor, CreatedAt,
Status, State, Ports, Names, Size, Labels, Mounts, Networks, LocalVolumes and Pid,
and .Label "NAME".`,
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error { return p.ps(r) },
	}
	cmd.Flags().BoolVarP(&r.all, "all", "a", false, "list those that do not run too")
	cmd.Flags().StringArrayVarP(&r.filters, "filter", "f", nil, "list only those for which `KEY=VALUE` holds")
	cmd.Flags().StringVar(&r.format, "format", "", "print by `TEMPLATE`, or table, table TEMPLATE, json")
	cmd.Flags().IntVarP(&r.last, "last", "n", -1, "list the newest `N`, whether they run or not")
	cmd.Flags().Lookup("last").DefValue = "0"
	cmd.Flags().BoolVarP(&r.latest, "latest", "l", false, "list the newest, whether it runs or not")
	cmd.Flags().BoolVar(&r.whole, "no-trunc", false, "print IDs and commands in full")
	cmd.Flags().BoolVarP(&r.quiet, "quiet", "q", false, "print only IDs")
	cmd.Flags().BoolVarP(&r.size, "size", "s", false, "show how much was written")
	return cmd
}

// seen is a container as it was found.
type seen struct {
	*container.Container
	state container.State
}

func (p *program) ps(r roster) error {
	s, err := p.containers()
	if err != nil {
		return err
	}
	f, err := newContainerFilter(s, r.filters)
	if err != nil {
		return err
	}
	found, err := r.find(s, f)
	if err != nil {
		return err
	}
	ports := portsOf(s)
	var rows []listing.Row
	for _, c := range found {
		row, err := r.row(c, ports, p.now())
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	return r.listing().Print(p.out, r.template(), rows)
}

// find are the containers that are to be listed.
func (r roster) find(s *container.Store, f *containerFilter) ([]seen, error) {
	list, err := s.List()
	if err != nil {
		return nil, err
	}
	if r.latest {
		r.last = 1
	}
	all := r.all || r.last >= 0 || len(f.Filters["status"])+len(f.Filters["exited"]) > 0
	var found []seen
	for _, c := range list {
		state, err := c.State()
		if errors.Is(err, container.ErrNotExist) {
			continue // it was removed just now
		}
		if err != nil {
			return nil, err
		}
		if (all || state.Alive()) && f.shows(seen{c, state}) {
			found = append(found, seen{c, state})
		}
		if r.last >= 0 && len(found) >= r.last {
			break
		}
	}
	if r.last == 0 {
		return nil, nil
	}
	return found, nil
}

// listing is what is printed by default.
func (r roster) listing() listing.Listing {
	table := "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
	if r.size {
		table += "\t{{.Size}}"
	}
	return listing.Listing{Columns: containerColumns, Table: table}
}

func (r roster) template() string {
	if r.quiet {
		return "{{.ID}}"
	}
	return r.format
}

// row is a container.
func (r roster) row(c seen, ports func(*container.Container) []network.Port, now time.Time) (listing.Row, error) {
	row := listing.Row{
		"ID": r.id(c.Config.ID), "Image": r.image(c.Config.ImageName), "Command": r.command(c.Config), "Names": c.Config.Name,
		"RunningFor": listing.Ago(c.Config.Created, now), "CreatedAt": listing.At(c.Config.Created),
		"Status": statusText(c.state, now), "State": string(c.state.Status), "Ports": "", "Size": "",
		"Labels": pairsOf(c.Config.Labels), "Mounts": mountNames(c.Config), "Networks": strings.Join(networksOf(c.Config), ","),
		"LocalVolumes": strconv.Itoa(len(c.Config.Volumes)), "Pid": strconv.Itoa(c.state.Pid),
	}
	row.SetLabels(c.Config.Labels)
	if c.state.Alive() {
		row["Ports"] = portsText(ports(c.Container), c.Config.Network.Exposed)
	}
	if !r.size && !strings.Contains(r.format, ".Size") {
		return row, nil
	}
	written, err := writtenIn(c.Container)
	row["Size"] = listing.Size(written)
	return row, err
}

func (r roster) id(id string) string {
	if r.whole {
		return id
	}
	return listing.Short(id)
}

// image is what a container's image was called.
func (r roster) image(name string) string {
	if strings.HasPrefix(name, "sha256:") {
		return r.id(name)
	}
	return name
}

// command is the program with its arguments, in quotes.
// Compat(moby): so does ps there.
func (r roster) command(c container.Config) string {
	text := listing.Line(strings.Join(append([]string{c.Path}, c.Args...), " "))
	if !r.whole {
		text = listing.Cut(text, 20)
	}
	return strconv.Quote(text)
}

// statusText is what a container is, and since when.
// Compat(moby): its words.
func statusText(s container.State, now time.Time) string {
	since := func(t time.Time) string { return units.HumanDuration(now.Sub(t)) }
	switch s.Status {
	case container.Running:
		text := "Up " + since(s.StartedAt)
		if s.Health != nil && s.Health.Status == container.Starting {
			return text + " (health: starting)"
		}
		if s.Health != nil {
			return text + " (" + s.Health.Status + ")"
		}
		return text
	case container.Paused:
		return "Up " + since(s.StartedAt) + " (Paused)"
	case container.Restarting:
		return fmt.Sprintf("Restarting (%d) %s ago", s.ExitCode, since(s.FinishedAt))
	case container.Exited:
		return fmt.Sprintf("Exited (%d) %s ago", s.ExitCode, since(s.FinishedAt))
	case container.Dead:
		return "Dead"
	}
	return "Created"
}

// pairsOf are labels as text.
func pairsOf(labels map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, name+"="+labels[name])
	}
	return strings.Join(pairs, ",")
}

// mountNames are the volumes of a container.
func mountNames(c container.Config) string {
	var names []string
	for _, v := range c.Volumes {
		names = append(names, v.Name)
	}
	return strings.Join(names, ",")
}

// networksOf are the networks that a container is in.
func networksOf(c container.Config) []string {
	switch c.Network.Mode.Kind {
	case network.None:
		return []string{"none"}
	case network.Host:
		return []string{"host"}
	case network.Container:
		return []string{"container:" + c.Network.Mode.Name}
	case network.User:
		return []string{cmp.Or(c.Network.Mode.Name, "private")}
	}
	var names []string
	for _, j := range c.Network.Networks {
		names = append(names, j.Network)
	}
	return names
}

// portsOf looks up which ports containers publish now. The networks are opened for
// the first that publishes any.
func portsOf(s *container.Store) func(*container.Container) []network.Port {
	var networks *network.Store
	return func(c *container.Container) []network.Port {
		if len(c.Config.Network.Ports) == 0 && !c.Config.Network.PublishAll {
			return nil
		}
		if networks == nil {
			opened, err := links.Networks(s.Root())
			if err != nil {
				return nil
			}
			networks = opened
		}
		a, err := networks.Attachment(c.Config.ID)
		if err != nil {
			return nil
		}
		return a.Ports
	}
}

// portsText are published ports, then those that are only exposed.
// Compat(moby): its form.
func portsText(published, exposed []network.Port) string {
	var words []string
	for _, p := range published {
		host := "0.0.0.0"
		if p.HostIP.IsValid() {
			host = p.HostIP.String()
		}
		if p.HostIP.Is6() {
			host = "[" + host + "]"
		}
		words = append(words, fmt.Sprintf("%s:%d->%d/%s", host, p.Host, p.Container, p.Protocol))
	}
	for _, p := range exposed {
		same := func(q network.Port) bool { return q.Container == p.Container && q.Protocol == p.Protocol }
		if !slices.ContainsFunc(published, same) {
			words = append(words, fmt.Sprintf("%d/%s", p.Container, p.Protocol))
		}
	}
	return strings.Join(words, ", ")
}

// writtenIn is how many bytes a container's writable layer has.
func writtenIn(c *container.Container) (int64, error) {
	b, err := bundledir.Open(c.Bundle())
	if err != nil {
		return 0, err
	}
	return b.Written()
}

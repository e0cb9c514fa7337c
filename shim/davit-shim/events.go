package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/events"
	"github.com/davit-containers/davit/shim/listing"
)

// chronology has the flags of davit-shim events.
type chronology struct {
	since, until, format string
	filters              []string
}

// occurrence is an event as it is printed.
// Compat(moby): the names and their order.
type occurrence struct {
	Status   string `json:"status,omitempty"`
	ID       string `json:"id,omitempty"`
	From     string `json:"from,omitempty"`
	Type     string
	Action   string
	Actor    actor
	Scope    string `json:"scope"`
	Time     int64  `json:"time"`
	TimeNano int64  `json:"timeNano"`
}

// actor is what something happened to.
type actor struct {
	ID         string
	Attributes map[string]string
}

// eventsCommand is davit-shim events.
func (p *program) eventsCommand() *cobra.Command {
	var c chronology
	cmd := &cobra.Command{
		Use:   "events",
		Short: "show what happens to containers, images, networks and volumes",
		Long: `Prints a line for each event, as it comes, until it is interrupted, or until the
time of --until; with --since, or with an --until that has passed, also those that
were before. The newest few ten thousand are kept.

Filters: container=NAME|ID, event=ACTION, image=NAME, label=NAME[=VALUE],
network=NAME|ID, type=container|image|network|volume, volume=NAME. --format takes
json, or a template of Type, Action, Actor.ID, Actor.Attributes, Status, ID, From,
Time and TimeNano.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.events(cmd.Context(), c) },
	}
	cmd.Flags().StringVar(&c.since, "since", "", "begin at a `TIME`, or so long ago, such as 10m")
	cmd.Flags().StringVar(&c.until, "until", "", "end at a `TIME`")
	cmd.Flags().StringArrayVarP(&c.filters, "filter", "f", nil, "show only those for which `KEY=VALUE` holds")
	cmd.Flags().StringVar(&c.format, "format", "", "print by `TEMPLATE`, or json")
	return cmd
}

func (p *program) events(ctx context.Context, c chronology) error {
	root, err := p.globals.directory()
	if err != nil {
		return err
	}
	q, err := c.query(p.now())
	if err != nil {
		return err
	}
	show, err := p.showEvent(c.format)
	if err != nil {
		return err
	}
	if !q.Until.IsZero() && q.Until.Before(p.now()) {
		return events.Read(ctx, root, q, show)
	}
	err = events.Follow(ctx, root, q, show)
	if errors.Is(err, context.Canceled) {
		return nil // as it was asked to
	}
	return err
}

// query is what the flags say. Without --since it begins now, unless all is over.
func (c chronology) query(now time.Time) (q events.Query, err error) {
	if c.since != "" {
		if q.Since, err = moment(c.since, now); err != nil {
			return q, fmt.Errorf("--since %q: %w", c.since, err)
		}
	}
	if c.until != "" {
		if q.Until, err = moment(c.until, now); err != nil {
			return q, fmt.Errorf("--until %q: %w", c.until, err)
		}
	}
	if c.since == "" && (c.until == "" || q.Until.After(now)) {
		q.Since = now
	}
	f, err := listing.ParseFilters(c.filters, "container", "event", "image", "label", "network", "type", "volume")
	q.Wants = func(e events.Event) bool { return eventWanted(f, e) }
	return q, err
}

// eventWanted tells whether the filters hold for an event.
func eventWanted(f listing.Filters, e events.Event) bool {
	about := func(typ events.Type) func(string) bool {
		return func(want string) bool {
			return e.Type == typ && (e.Name == want || e.ID == want || typ == events.Container && want != "" && strings.HasPrefix(e.ID, want)) ||
				e.Attributes[string(typ)] == want
		}
	}
	return f.Labels(e.Attributes) &&
		f.Any("type", func(want string) bool { return string(e.Type) == want }) &&
		f.Any("event", func(want string) bool { return e.Action == want || strings.HasPrefix(e.Action, want+":") }) &&
		f.Any("container", about(events.Container)) && f.Any("image", about(events.Image)) &&
		f.Any("network", about(events.Network)) && f.Any("volume", about(events.Volume))
}

// showEvent is how events are printed.
func (p *program) showEvent(format string) (func(events.Event) error, error) {
	switch format {
	case "":
		return func(e events.Event) error {
			_, err := fmt.Fprintln(p.out, eventLine(e))
			return err
		}, nil
	case "json":
		enc := json.NewEncoder(p.out)
		enc.SetEscapeHTML(false)
		return func(e events.Event) error { return enc.Encode(occurrenceOf(e)) }, nil
	}
	t, err := listing.Template(format)
	return func(e events.Event) error { return listing.Execute(p.out, t, occurrenceOf(e)) }, err
}

func occurrenceOf(e events.Event) occurrence {
	o := occurrence{
		Type: string(e.Type), Action: e.Action, Actor: actor{e.ID, map[string]string{}}, Scope: "local",
		Time: e.Time.Unix(), TimeNano: e.Time.UnixNano(),
	}
	for key, value := range e.Attributes {
		o.Actor.Attributes[key] = value
	}
	if e.Name != "" {
		o.Actor.Attributes["name"] = e.Name
	}
	if e.Type == events.Container || e.Type == events.Image {
		o.Status, o.ID, o.From = e.Action, e.ID, e.Attributes["image"]
	}
	return o
}

// eventLine is an event in a line.
// Compat(moby): its form.
func eventLine(e events.Event) string {
	o := occurrenceOf(e)
	var attributes []string
	for key, value := range o.Actor.Attributes {
		attributes = append(attributes, key+"="+value)
	}
	slices.Sort(attributes)
	line := fmt.Sprintf("%s %s %s %s", e.Time.Local().Format("2006-01-02T15:04:05.000000000Z07:00"), e.Type, e.Action, e.ID)
	if len(attributes) > 0 {
		line += " (" + strings.Join(attributes, ", ") + ")"
	}
	return listing.Line(line)
}

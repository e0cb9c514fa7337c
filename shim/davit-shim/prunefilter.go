package main

import (
	"bufio"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/listing"
)

// cleaning has the flags of what removes everything that is not used.
type cleaning struct {
	force      bool
	filters    []string
	unmeasured bool // what is removed takes no space
}

func (c *cleaning) add(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.force, "force", "f", false, "do not ask")
	cmd.Flags().StringArrayVar(&c.filters, "filter", nil, "remove only those for which `KEY=VALUE` holds")
}

// prune asks, and has each of several kinds of things removed; each says how many
// bytes it freed.
// Compat(moby): the questions, and that standard input answers them.
func (p *program) prune(c cleaning, warning string, each ...func(pruneFilter) (int64, error)) error {
	f, err := newPruneFilter(c.filters, p.now())
	if err != nil {
		return err
	}
	if !c.force && !p.agrees(warning) {
		return nil
	}
	var total int64
	for _, remove := range each {
		freed, err := remove(f)
		total += freed
		if err != nil {
			return err
		}
	}
	if c.unmeasured {
		return nil
	}
	_, err = fmt.Fprintf(p.out, "Total reclaimed space: %s\n", listing.Size(total))
	return err
}

// agrees asks whether to go on.
func (p *program) agrees(warning string) bool {
	fmt.Fprintf(p.out, "WARNING! %s\nAre you sure you want to continue? [y/N] ", warning)
	answer, _ := bufio.NewReader(p.in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true
	}
	return false
}

// pruneFilter says what is to go.
type pruneFilter struct {
	labels, others listing.Filters // must hold, must not hold
	until          time.Time
}

func newPruneFilter(list []string, now time.Time) (f pruneFilter, err error) {
	var not []string
	f.labels = listing.Filters{}
	for _, text := range list {
		if rest, ok := strings.CutPrefix(text, "label!="); ok {
			not = append(not, "label="+rest)
			continue
		}
		one, err := listing.ParseFilters([]string{text}, "label", "until")
		if err != nil {
			return f, err
		}
		f.labels["label"] = append(f.labels["label"], one["label"]...)
		for _, value := range one["until"] {
			if f.until, err = moment(value, now); err != nil {
				return f, fmt.Errorf("--filter \"until=%s\": %w", value, err)
			}
		}
	}
	f.others, err = listing.ParseFilters(not, "label")
	return f, err
}

// wants tells whether a thing with labels, which was made at a time, is to go.
func (f pruneFilter) wants(labels map[string]string, made time.Time) bool {
	for _, one := range f.others["label"] {
		if (listing.Filters{"label": {one}}).Labels(labels) {
			return false
		}
	}
	return f.labels.Labels(labels) && (f.until.IsZero() || made.Before(f.until))
}

// unusedSince is when a remembered step of a build must have been used last for it
// to go: steps have no labels, so with a filter for these none goes.
func (f pruneFilter) unusedSince(now time.Time) time.Time {
	switch {
	case len(f.labels["label"]) > 0 || len(f.others["label"]) > 0:
		return time.Time{}
	case !f.until.IsZero():
		return f.until
	}
	return now.Add(time.Second) // files' times are a little behind the clock, or ahead
}

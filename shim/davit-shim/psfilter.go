package main

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/listing"
	"github.com/davit-containers/davit/shim/network"
)

// containerFilter says which containers are listed.
type containerFilter struct {
	listing.Filters
	names         []*regexp.Regexp
	before, since time.Time
}

// containerFilters are the keys of ps's filters.
var containerFilters = []string{
	"ancestor", "before", "exited", "expose", "health", "id", "label", "name", "network", "publish", "since", "status", "volume",
}

func newContainerFilter(s *container.Store, list []string) (*containerFilter, error) {
	filters, err := listing.ParseFilters(list, containerFilters...)
	if err != nil {
		return nil, err
	}
	f := &containerFilter{Filters: filters}
	for _, text := range filters["name"] {
		pattern, err := regexp.Compile(text)
		if err != nil {
			return nil, fmt.Errorf("--filter \"name=%s\": %w", text, err)
		}
		f.names = append(f.names, pattern)
	}
	for key, to := range map[string]*time.Time{"before": &f.before, "since": &f.since} {
		for _, ref := range filters[key] {
			c, err := s.Find(ref)
			if err != nil {
				return nil, fmt.Errorf("--filter \"%s=%s\": %w", key, ref, err)
			}
			*to = c.Config.Created
		}
	}
	return f, f.check()
}

// check finds values that nothing has.
func (f *containerFilter) check() error {
	for _, text := range f.Filters["status"] {
		switch container.Status(text) {
		case container.Created, container.Running, container.Paused, container.Restarting, container.Exited, container.Dead:
		default:
			return fmt.Errorf("--filter \"status=%s\": it is created, running, paused, restarting, exited or dead", text)
		}
	}
	for _, text := range f.Filters["exited"] {
		if _, err := strconv.Atoi(text); err != nil {
			return fmt.Errorf("--filter \"exited=%s\": it is a number", text)
		}
	}
	return nil
}

// shows tells whether a container is one that is wanted.
func (f *containerFilter) shows(c seen) bool {
	config := c.Config
	named := func(r *regexp.Regexp) bool { return r.MatchString(config.Name) || r.MatchString("/"+config.Name) }
	switch {
	case len(f.names) > 0 && !slices.ContainsFunc(f.names, named),
		!f.before.IsZero() && !config.Created.Before(f.before),
		!f.since.IsZero() && !config.Created.After(f.since):
		return false
	}
	return f.Labels(config.Labels) &&
		f.Any("id", func(v string) bool { return strings.HasPrefix(config.ID, v) }) &&
		f.Any("status", func(v string) bool { return v == string(c.state.Status) }) &&
		f.Any("exited", func(v string) bool { return c.state.Status == container.Exited && v == strconv.Itoa(c.state.ExitCode) }) &&
		f.Any("health", func(v string) bool { return v == healthOf(c.state) }) &&
		f.Any("ancestor", func(v string) bool { return isOf(config, v) }) &&
		f.Any("volume", func(v string) bool { return hasVolume(config, v) }) &&
		f.Any("network", func(v string) bool { return slices.Contains(networksOf(config), v) }) &&
		f.Any("publish", func(v string) bool { return hasPort(config.Network.Ports, v) }) &&
		f.Any("expose", func(v string) bool { return hasPort(append(config.Network.Exposed, config.Network.Ports...), v) })
}

// healthOf is what checks say.
func healthOf(s container.State) string {
	if s.Health == nil {
		return "none"
	}
	return s.Health.Status
}

// isOf tells whether a container is of an image, by its name or ID.
func isOf(c container.Config, ref string) bool {
	id := strings.TrimPrefix(ref, "sha256:")
	if c.ImageName == ref || len(id) >= 4 && strings.HasPrefix(strings.TrimPrefix(c.ImageID, "sha256:"), id) {
		return true
	}
	own, err := image.ParseName(c.ImageName)
	if err != nil {
		return false
	}
	asked, err := image.ParseName(ref)
	return err == nil && own == asked
}

// hasVolume tells whether a container has a volume, by its name or its place.
func hasVolume(c container.Config, text string) bool {
	return slices.ContainsFunc(c.Volumes, func(v container.Volume) bool {
		return v.Name == text || v.Destination == path.Clean(text)
	})
}

// hasPort tells whether a port, "80" or "80/tcp", is one of several.
func hasPort(ports []network.Port, text string) bool {
	number, protocol, given := strings.Cut(text, "/")
	return slices.ContainsFunc(ports, func(p network.Port) bool {
		return strconv.Itoa(int(p.Container)) == number && (!given || p.Protocol == protocol)
	})
}

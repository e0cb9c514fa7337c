package show

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/davit-containers/davit/shim/build"
	"github.com/davit-containers/davit/shim/listing"
	"github.com/davit-containers/davit/shim/meter"
)

// Modes are what --progress may be.
var Modes = []string{"auto", "tty", "plain", "json", "none"}

// view shows an event.
type view interface {
	show(build.Event, *step)
	close()
}

// Screen shows events until it is closed.
type Screen struct {
	mu    sync.Mutex
	view  view
	steps map[int]*step
}

// step is what was seen of a piece of work.
type step struct {
	began time.Time
	rest  string // of what a program printed, behind the last end of a line
	lines []string
}

// New shows events on w: on a terminal ("tty"), as lines ("plain"), as JSON
// ("json"), not at all ("none"), or as w is a terminal or none ("auto").
func New(mode string, w io.Writer) (*Screen, error) {
	s := &Screen{steps: map[int]*step{}}
	switch {
	case mode == "tty", mode == "auto" && meter.IsTerminal(w):
		s.view = newTerminal(w)
	case mode == "plain", mode == "auto":
		s.view = plain{w}
	case mode == "json":
		s.view = objects{json.NewEncoder(w)}
	case mode == "none":
		s.view = nothing{}
	default:
		return nil, fmt.Errorf("--progress %q: it is auto, tty, plain, json or none", mode)
	}
	return s, nil
}

// Show takes an event. It may be called from several goroutines at once.
func (s *Screen) Show(e build.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.steps[e.ID]
	if one == nil {
		one = &step{began: e.Time}
		s.steps[e.ID] = one
	}
	one.take(e)
	s.view.show(e, one)
}

// Close ends the last line, so that what follows stands below.
func (s *Screen) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.close()
}

// take splits what was printed into lines. A long one without an end is cut.
func (s *step) take(e build.Event) {
	const longest = 4096
	text := s.rest + string(e.Text)
	s.lines = strings.Split(text, "\n")
	s.rest = s.lines[len(s.lines)-1]
	s.lines = s.lines[:len(s.lines)-1]
	if ended := e.State != build.Output && e.State != build.Started; s.rest != "" && (ended || len(s.rest) > longest) {
		s.lines, s.rest = append(s.lines, s.rest), ""
	}
	for i, line := range s.lines {
		line = strings.TrimRight(line, "\r")
		s.lines[i] = listing.Line(line[strings.LastIndexByte(line, '\r')+1:]) // what a terminal would show of a progress bar
	}
}

// seconds are those since a step began.
func (s *step) seconds(now time.Time) string { return fmt.Sprintf("%.1fs", now.Sub(s.began).Seconds()) }

// nothing shows nothing.
type nothing struct{}

func (nothing) show(build.Event, *step) {}
func (nothing) close()                  {}

// objects shows JSON.
type objects struct{ enc *json.Encoder }

func (o objects) show(e build.Event, _ *step) { _ = o.enc.Encode(e) }
func (o objects) close()                      {}

// plain shows lines, each with the number of its step.
// Compat(buildkit): their form.
type plain struct{ w io.Writer }

func (p plain) show(e build.Event, s *step) {
	for _, line := range s.lines {
		fmt.Fprintf(p.w, "#%d %.3f %s\n", e.ID, e.Time.Sub(s.began).Seconds(), line)
	}
	switch e.State {
	case build.Started:
		fmt.Fprintf(p.w, "#%d %s\n", e.ID, listing.Line(e.Name))
	case build.Cached:
		fmt.Fprintf(p.w, "#%d CACHED\n\n", e.ID)
	case build.Done:
		fmt.Fprintf(p.w, "#%d DONE %s\n\n", e.ID, s.seconds(e.Time))
	case build.Failed:
		fmt.Fprintf(p.w, "#%d ERROR: %s\n\n", e.ID, listing.Line(e.Error))
	case build.Canceled:
		fmt.Fprintf(p.w, "#%d CANCELED\n\n", e.ID)
	}
}

func (p plain) close() {}

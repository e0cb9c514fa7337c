package show

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/davit-containers/davit/shim/build"
	"github.com/davit-containers/davit/shim/listing"
)

// terminal shows a line for each step that runs, with the last that it printed,
// and above them what has ended. What a failed step printed is shown then.
type terminal struct {
	all  *mpb.Progress
	bars map[int]*running
}

// running is a step that runs. The lines are drawn by a goroutine of its own.
type running struct {
	bar  *mpb.Bar
	last atomic.Value // string
	kept []string
}

// kept is how many lines of a step are shown when it fails.
const kept = 100

func newTerminal(w io.Writer) *terminal {
	return &terminal{all: mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh()), bars: map[int]*running{}}
}

func (t *terminal) show(e build.Event, s *step) {
	one := t.bars[e.ID]
	if one == nil {
		one = t.add(e, s)
	}
	for _, line := range s.lines {
		one.last.Store(line)
		one.kept = append(one.kept[max(0, len(one.kept)-kept+1):], line)
	}
	if e.State == build.Started || e.State == build.Output {
		return
	}
	one.bar.Abort(true)
	delete(t.bars, e.ID)
	t.ended(e, s, one)
}

// ended says what became of a step.
func (t *terminal) ended(e build.Event, s *step, one *running) {
	name := listing.Line(e.Name)
	switch e.State {
	case build.Cached:
		fmt.Fprintf(t.all, "=> CACHED %s\n", name)
	case build.Done:
		fmt.Fprintf(t.all, "=> %s  %s\n", name, s.seconds(e.Time))
	case build.Canceled:
		fmt.Fprintf(t.all, "=> CANCELED %s\n", name)
	case build.Failed:
		fmt.Fprintf(t.all, "=> ERROR %s  %s\n", name, s.seconds(e.Time))
		for _, line := range one.kept {
			fmt.Fprintf(t.all, "   %s\n", line)
		}
	}
}

// add adds the line of a step.
func (t *terminal) add(e build.Event, s *step) *running {
	one := &running{}
	one.last.Store("")
	name, began := listing.Line(e.Name), s.began
	one.bar = t.all.New(0, mpb.NopStyle(), mpb.BarRemoveOnComplete(), mpb.PrependDecorators(
		decor.Any(func(decor.Statistics) string {
			return fmt.Sprintf("=> %s  %.1fs  %s", name, time.Since(began).Seconds(), one.last.Load())
		}),
	))
	t.bars[e.ID] = one
	return one
}

func (t *terminal) close() {
	for _, one := range t.bars {
		one.bar.Abort(true)
	}
	t.all.Wait()
}

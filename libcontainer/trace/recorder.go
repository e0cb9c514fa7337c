package trace

import (
	"sync"
	"time"
)

// Recorder collects the spans of one call. Its methods may be called on nil,
// which records nothing, and from several goroutines.
type Recorder struct {
	mu     sync.Mutex
	parent Context // its Span is zero where the call has no parent
	spans  []span
	open   []int // indices of spans that go on, outermost first
}

// span is one operation.
type span struct {
	id, parent [8]byte
	name       string
	detail     string // what a step does, in the stage's words
	track      track
	start, end time.Time
	err        error
}

// track is who did it.
type track int

const (
	trackCall  track = 1 // the command
	trackStage track = 2 // the stage, inside the container
)

// New begins a recording with a span for the whole call, below parent; the
// zero Context begins a trace.
func New(name string, parent Context) *Recorder {
	if parent.Trace == [16]byte{} {
		parent = Context{Trace: newTrace(), Flags: 1}
	}
	r := &Recorder{parent: parent}
	r.Start(name)
	return r
}

// Context is what those that the call starts are to take for their parent.
func (r *Recorder) Context() Context {
	return Context{r.parent.Trace, r.spans[0].id, r.parent.Flags | 1}
}

// Start begins a span inside of the one that was begun last and goes on.
func (r *Recorder) Start(name string) Span {
	if r == nil {
		return Span{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := span{id: newSpan(), parent: r.parent.Span, name: name, track: trackCall, start: time.Now()}
	if n := len(r.open); n > 0 {
		s.parent = r.spans[r.open[n-1]].id
	}
	r.open = append(r.open, len(r.spans))
	r.spans = append(r.spans, s)
	return Span{r, len(r.spans) - 1}
}

// Span is one operation that goes on.
type Span struct {
	recorder *Recorder
	index    int
}

// End ends the span, and those begun in it that have not ended; err may be nil.
func (s Span) End(err error) {
	r := s.recorder
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := len(r.open); n > 0 && r.open[n-1] >= s.index; n-- {
		ended := &r.spans[r.open[n-1]]
		ended.end, ended.err = time.Now(), err
		r.open = r.open[:n-1]
	}
}

// Do runs a function as a span of its own.
func (r *Recorder) Do(name string, do func() error) error {
	s := r.Start(name)
	err := do()
	s.End(err)
	return err
}

// Step adds a step of the stage that has been executed, in nanoseconds since
// 1970.
func (r *Recorder) Step(doing, op string, start, end int64) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, span{
		id: newSpan(), parent: r.spans[0].id, name: doing, detail: op, track: trackStage,
		start: time.Unix(0, start), end: time.Unix(0, end),
	})
}

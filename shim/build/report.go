package build

import (
	"sync/atomic"
	"time"
)

// State is what becomes of a piece of work.
type State string

// The states. Output comes any number of times after Started.
const (
	Started  State = "started"
	Output   State = "output"
	Cached   State = "cached"
	Done     State = "done"
	Failed   State = "failed"
	Canceled State = "canceled"
)

// Event tells of a piece of work: a step, or what comes before and after.
type Event struct {
	// ID counts the pieces of work from 1 on, in the order in which they begin.
	ID    int       `json:"id"`
	State State     `json:"state"`
	Name  string    `json:"name"` // what a person calls it
	Text  []byte    `json:"text,omitempty"`
	Error string    `json:"error,omitempty"`
	Time  time.Time `json:"time"`
}

// Report takes events. It is called from several goroutines at once.
type Report func(Event)

// reporter gives numbers to pieces of work.
type reporter struct {
	report Report
	last   atomic.Int64
}

// job is a piece of work that has begun.
type job struct {
	r    *reporter
	id   int
	name string
}

func (r *reporter) begin(name string) *job {
	j := &job{r, int(r.last.Add(1)), name}
	j.tell(Started, nil, "")
	return j
}

func (j *job) tell(s State, text []byte, failure string) {
	if j.r.report != nil {
		j.r.report(Event{ID: j.id, State: s, Name: j.name, Text: text, Error: failure, Time: time.Now()})
	}
}

// Write takes what a program prints.
func (j *job) Write(p []byte) (int, error) {
	j.tell(Output, append([]byte(nil), p...), "")
	return len(p), nil
}

// end tells how it ended, and gives the error back.
func (j *job) end(err error, otherwise State) error {
	if err != nil {
		j.tell(Failed, nil, err.Error())
		return err
	}
	j.tell(otherwise, nil, "")
	return nil
}

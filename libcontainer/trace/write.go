package trace

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// file is what is written: the JSON Object Format of Trace Event Format.
type file struct {
	Unit   string            `json:"displayTimeUnit"`
	Other  map[string]string `json:"otherData"`
	Events []event           `json:"traceEvents"`
}

// event is a complete event, or one that names a track.
type event struct {
	Name     string            `json:"name"`
	Category string            `json:"cat,omitempty"`
	Phase    string            `json:"ph"`
	Start    micros            `json:"ts"`
	Duration micros            `json:"dur"`
	Pid      int               `json:"pid"`
	Track    track             `json:"tid"`
	Args     map[string]string `json:"args"`
}

// micros is a time in nanoseconds that is written in microseconds.
type micros int64

// MarshalJSON writes all digits, which a float64 has no room for.
func (m micros) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%d.%03d", m/1000, m%1000), nil
}

// Write ends what goes on, with err, and writes the recording of the process
// pid. The others say what the call was.
func (r *Recorder) Write(w io.Writer, pid int, err error, others map[string]string) error {
	Span{r, 0}.End(err)
	f := file{Unit: "ns", Other: others, Events: []event{
		named(pid, trackCall, "davit"), named(pid, trackStage, "stage"),
	}}
	for i := range r.spans {
		f.Events = append(f.Events, r.event(&r.spans[i], pid))
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	return enc.Encode(f)
}

func named(pid int, t track, name string) event {
	return event{Name: "thread_name", Phase: "M", Pid: pid, Track: t, Args: map[string]string{"name": name}}
}

func (r *Recorder) event(s *span, pid int) event {
	e := event{
		Name: s.name, Category: "phase", Phase: "X", Pid: pid, Track: s.track,
		Start: micros(s.start.UnixNano()), Duration: micros(duration(s)),
		Args: map[string]string{"traceId": hex.EncodeToString(r.parent.Trace[:]), "spanId": hex.EncodeToString(s.id[:])},
	}
	if s.parent != [8]byte{} {
		e.Args["parentSpanId"] = hex.EncodeToString(s.parent[:])
	}
	if s.track == trackStage {
		e.Category = "step"
		e.Args["op"] = s.detail
	}
	if s.err != nil {
		e.Args["error"] = s.err.Error()
	}
	return e
}

// duration is never negative: the clock may have been set meanwhile.
func duration(s *span) time.Duration { return max(0, s.end.Sub(s.start)) }

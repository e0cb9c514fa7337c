// Package progress says how far the work on images has come: one small event
// for each step of downloading, verifying and unpacking.
//
// It is not for showing anything: bars, lines and JSON are for whoever owns
// the terminal.
package progress

// Phase is what is being done.
type Phase string

// The phases of a layer, in their order, and those of an image.
const (
	// Resolving: an image is being looked up. Layer is its name.
	Resolving Phase = "resolving"
	// Waiting: another process works on this layer.
	Waiting Phase = "waiting"
	// Downloading: bytes of a blob are being fetched or copied.
	Downloading Phase = "downloading"
	// Exists: the blob or the unpacked layer is there already.
	Exists Phase = "exists"
	// Downloaded: the blob is there, verified.
	Downloaded Phase = "downloaded"
	// Unpacking: bytes of a blob are being unpacked.
	Unpacking Phase = "unpacking"
	// Unpacked: the layer is there, verified.
	Unpacked Phase = "unpacked"
	// Writing: bytes of a blob are being written or sent somewhere else.
	Writing Phase = "writing"
	// Written: the blob is there too.
	Written Phase = "written"
	// Retrying: the connection broke; what is there already is kept.
	Retrying Phase = "retrying"
)

// Event is one step.
type Event struct {
	Phase Phase `json:"phase"`
	// Layer is the digest of the layer's blob, or another name of what is worked on.
	Layer string `json:"layer"`
	// Done and Total are bytes of the blob. Total 0: not known.
	Done  int64 `json:"done,omitempty"`
	Total int64 `json:"total,omitempty"`
}

// Func takes events. It is called from several goroutines at once, and should
// not take long. A nil Func takes none.
type Func func(Event)

// Report hands an event over, if anybody wants it.
func (f Func) Report(e Event) {
	if f != nil {
		f(e)
	}
}

// Counter is an [io.Writer] that reports how many bytes were written to it.
type Counter struct {
	Func  Func
	Event Event
}

// Write counts p.
func (c *Counter) Write(p []byte) (int, error) {
	c.Event.Done += int64(len(p))
	c.Func.Report(c.Event)
	return len(p), nil
}

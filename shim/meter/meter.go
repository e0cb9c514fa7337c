package meter

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/progress"
	"github.com/davit-containers/davit/shim/listing"
)

// Modes are what --progress may be.
var Modes = []string{"auto", "tty", "plain", "json", "none"}

// often is how soon after another an event of the same phase of the same layer is
// shown: a person sees no more, and a program needs no more.
const often = 100 * time.Millisecond

// view shows an event. first tells that its layer has come to another phase.
type view interface {
	show(e progress.Event, first bool)
	close()
}

// Meter shows events until it is closed.
type Meter struct {
	mu     sync.Mutex
	view   view
	layers map[string]seen
	now    func() time.Time
}

// seen is what was last shown of a layer.
type seen struct {
	phase progress.Phase
	at    time.Time
}

// New is a meter that shows events on w: in bars ("tty"), lines ("plain"), JSON
// ("json"), not at all ("none"), or as w is a terminal or none ("auto").
func New(mode string, w io.Writer) (*Meter, error) {
	v, err := viewOf(mode, w)
	if err != nil {
		return nil, err
	}
	return &Meter{view: v, layers: map[string]seen{}, now: time.Now}, nil
}

func viewOf(mode string, w io.Writer) (view, error) {
	switch mode {
	case "auto":
		if IsTerminal(w) {
			return newBars(w), nil
		}
		return lines{w}, nil
	case "tty":
		return newBars(w), nil
	case "plain":
		return lines{w}, nil
	case "json":
		return objects{json.NewEncoder(w)}, nil
	case "none":
		return nothing{}, nil
	}
	return nil, fmt.Errorf("--progress %q: it is auto, tty, plain, json or none", mode)
}

// IsTerminal tells whether what is written is seen on a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Show takes an event. It may be called from several goroutines at once.
func (m *Meter) Show(e progress.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, now := m.layers[e.Layer], m.now()
	first := last.phase != e.Phase
	if !first && now.Sub(last.at) < often {
		return
	}
	m.layers[e.Layer] = seen{e.Phase, now}
	m.view.show(e, first)
}

// Close ends the last line, so that what follows stands below.
func (m *Meter) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.view.close()
}

// nothing shows nothing.
type nothing struct{}

func (nothing) show(progress.Event, bool) {}
func (nothing) close()                    {}

// objects shows JSON.
type objects struct{ enc *json.Encoder }

func (o objects) show(e progress.Event, _ bool) { _ = o.enc.Encode(e) }
func (o objects) close()                        {}

// lines shows a line for each phase of each layer.
type lines struct{ w io.Writer }

func (l lines) show(e progress.Event, first bool) {
	if !first {
		return
	}
	fmt.Fprintf(l.w, "%s: %s%s\n", name(e.Layer), e.Phase, size(e))
}

func (l lines) close() {}

// size is how large the blob is, where that is known.
func size(e progress.Event) string {
	if e.Total <= 0 {
		return ""
	}
	return " " + listing.Size(e.Total)
}

// name is what a person calls a layer: the beginning of its digest. What is no
// digest is a name.
func name(layer string) string {
	const digest = len("sha256:") + 64
	if len(layer) == digest {
		return listing.Short(layer)
	}
	return listing.Line(layer)
}

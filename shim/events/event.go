package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Type is what an event is about.
type Type string

// The types.
// Compat(moby): their words.
const (
	Container Type = "container"
	Image     Type = "image"
	Network   Type = "network"
	Volume    Type = "volume"
)

// Event is something that happened.
type Event struct {
	Time       time.Time         // of appending, where not set
	Type       Type              // what it happened to
	Action     string            // what it was, such as "start" or "health_status: healthy"
	ID         string            // of the container, image, network; a volume's name
	Name       string            `json:",omitempty"`
	Attributes map[string]string `json:",omitempty"` // more of it: labels, "image", "exitCode"
}

// maxLine is how long an event may be, in bytes. An image's labels are its
// author's, and may be any size.
const maxLine = 32 << 10

// line is an event as it stands in a file. One that is too long goes without
// its attributes.
func (e Event) line() ([]byte, error) {
	data, err := json.Marshal(e)
	if err == nil && len(data) >= maxLine {
		e.Attributes = nil
		data, err = json.Marshal(e)
	}
	if err == nil && len(data) >= maxLine {
		err = fmt.Errorf("it is longer than %d bytes", maxLine)
	}
	return append(data, '\n'), err
}

// parse reads a line. One that is no event, of a process that was killed while
// it wrote, is passed over.
func parse(line []byte) (e Event, ok bool) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	err := json.Unmarshal(line, &e)
	return e, err == nil && e.Type != "" && !e.Time.IsZero()
}

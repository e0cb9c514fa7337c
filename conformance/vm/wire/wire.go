// Package wire is the conversation between a guest and its host: frames on one
// serial port. The host sends a request; the guest answers with what the
// command writes, as it writes it, and then with how it ended.
//
// It is not for files: those a guest sees through a shared folder.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Kind says what a frame holds.
type Kind byte

// The frames, with who sends them.
const (
	Ready   Kind = 'r' // guest: it serves requests; the first frame
	Run     Kind = 'R' // host: a Request
	Stdout  Kind = 'o' // guest: bytes of the command's stdout
	Stderr  Kind = 'e' // guest: bytes of the command's stderr
	Exited  Kind = 'x' // guest: an Exit; the last frame of an answer
	Refused Kind = 'f' // guest: why the command could not be run; the last frame of an answer
)

// A Request asks the guest to run a command.
type Request struct {
	Args   []string
	Env    []string  // besides the guest's own
	Dir    string    // in the guest
	User   bool      // as the guest's ordinary user, in a session of his
	Shares []Share   // host folders that the guest shall see first
	Now    time.Time // the host's clock, for a guest whose own stood still
	Seed   string    // chance, for a guest that has the same as others
}

// A Share is a folder of the host, at the same path in the guest.
type Share struct {
	Path     string
	ReadOnly bool
}

// An Exit tells how a command ended.
type Exit struct {
	Status int // the exit status, or 128 and the signal's number
}

// maxFrame bounds a frame's payload, in bytes: a longer one is no frame.
const maxFrame = 1 << 20

// Write sends a frame in one call of w.
func Write(w io.Writer, kind Kind, payload []byte) error {
	if len(payload) > maxFrame {
		return fmt.Errorf("writing a frame %q: %d bytes are more than %d", kind, len(payload), maxFrame)
	}
	frame := make([]byte, 5, 5+len(payload))
	frame[0] = byte(kind)
	binary.BigEndian.PutUint32(frame[1:], uint32(len(payload)))
	_, err := w.Write(append(frame, payload...))
	return err
}

// WriteJSON sends a frame with a value.
func WriteJSON(w io.Writer, kind Kind, value any) error {
	payload, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return Write(w, kind, payload)
}

// Read receives a frame. At the end of the conversation it returns io.EOF.
func Read(r io.Reader) (Kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size > maxFrame {
		return 0, nil, fmt.Errorf("reading a frame %q: %d bytes are more than %d", head[0], size, maxFrame)
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, fmt.Errorf("reading a frame %q: %w", head[0], err)
	}
	return Kind(head[0]), payload, nil
}

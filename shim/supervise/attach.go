package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Streams are a client's ends of a process's streams. Each may be nil.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Lost is told of output that the process could not keep for a client that read
	// nothing, in bytes; nil for nobody.
	Lost func(bytes int64)
}

// ErrDetached is what a Stdin says whose user wants to leave the process alone.
var ErrDetached = errors.New("detached")

// AttachOptions say which process is meant.
type AttachOptions struct {
	Exec  string // "" is the container's first
	First bool   // from the first byte on, of a container that was started with Attach; otherwise from now on
}

// Attach moves a process's streams until its outputs have ended. ErrDetached: the
// input said so.
func (c *Client) Attach(ctx context.Context, o AttachOptions, s Streams) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if s.Stdin != nil {
		go func() {
			if err := c.bring(ctx, o.Exec, s.Stdin); err != nil {
				cancel(err)
			}
		}()
	}
	m := &outputRequest{Exec: o.Exec, Reader: c.reader}
	if !o.First {
		m.At = [2]position{fromNow, fromNow}
	}
	for {
		ended, err := c.fetch(ctx, m, &s)
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if ended || errors.Is(err, ErrNotRunning) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// fetch asks for more output, writes it, and notes how far it has come.
func (c *Client) fetch(ctx context.Context, m *outputRequest, s *Streams) (ended bool, err error) {
	// The request is read by the loop, also when nobody waits for the answer.
	sent, r := *m, &outputReply{}
	if err := c.call(ctx, methodOutput, &sent, r); err != nil {
		return false, err
	}
	for i, w := range []io.Writer{s.Stdout, s.Stderr} {
		if lost := r.At[i] - m.At[i]; lost > 0 && m.At[i] != fromNow && s.Lost != nil {
			s.Lost(int64(lost))
		}
		m.At[i] = r.At[i] + position(len(r.Data[i]))
		if w == nil || len(r.Data[i]) == 0 {
			continue
		}
		if _, err := w.Write(r.Data[i]); err != nil {
			return false, fmt.Errorf("writing the container's output: %w", err)
		}
	}
	if r.Exit > 0 {
		c.exits.Store(m.Exec, int(r.Exit-1))
	}
	return r.Ended[0] && r.Ended[1], nil
}

// inputSize is how much input goes at once, in bytes.
const inputSize = 32 << 10

// bring sends input until its end.
func (c *Client) bring(ctx context.Context, exec string, in io.Reader) error {
	buf := make([]byte, inputSize)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			m := &inputRequest{Exec: exec, Data: append([]byte(nil), buf[:n]...)}
			if c.call(ctx, methodInput, m, nil) != nil {
				return nil // whoever would read it has ended
			}
		}
		if errors.Is(err, ErrDetached) {
			return err
		}
		if err != nil {
			c.call(ctx, methodInput, &inputRequest{Exec: exec, End: true}, nil)
			return nil
		}
	}
}

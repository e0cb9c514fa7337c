package ttrpc

import (
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/loop"
)

// conn is a socket with frames in both directions.
type conn struct {
	file   *os.File
	fd     int
	watch  *loop.Watch
	in     []byte
	out    []byte
	frame  func(f []byte) error // is given each whole frame
	closed func(err error)
	kept   *kept // nil where the connection ends with this process
}

// maxWaiting is how much may wait for a peer that does not read, in bytes.
const maxWaiting = 16 << 20

// open takes a connected socket over.
func open(l *loop.Loop, file *os.File, c *conn) error {
	c.file, c.fd = file, int(file.Fd())
	if err := unix.SetNonblock(c.fd, true); err != nil {
		return err
	}
	var err error
	c.watch, err = l.Watch(c.fd, loop.Readable, c.event)
	return err
}

func (c *conn) event(events uint32) {
	if events&loop.Writable != 0 {
		if err := c.flush(); err != nil {
			c.close(err)
			return
		}
	}
	if events&^loop.Writable != 0 {
		if err := c.read(); err != nil {
			c.close(err)
		}
	}
}

// read takes what has come, and the frames that are whole. A peer that sends
// more is heard in the next round: others come first.
func (c *conn) read() error {
	data, err := c.receive()
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil
	case err == io.EOF:
		return err
	case err != nil:
		return fmt.Errorf("reading from a peer: %w", err)
	}
	c.in = append(c.in, data...)
	return c.frames()
}

// receive takes some of what has come.
func (c *conn) receive() ([]byte, error) {
	if c.kept != nil {
		return c.kept.receive()
	}
	buf := make([]byte, 4096)
	n, err := unix.Read(c.fd, buf)
	if err == nil && n == 0 {
		err = io.EOF
	}
	return buf[:max(n, 0)], err
}

func (c *conn) frames() error {
	for len(c.in) >= headerSize {
		h := parseHeader(c.in)
		if h.length > maxData {
			return fmt.Errorf("reading from a peer: a frame of %d bytes", h.length)
		}
		size := headerSize + int(h.length)
		if len(c.in) < size {
			return nil
		}
		whole := c.in[:size]
		c.in = c.in[size:]
		if err := c.frame(whole); err != nil {
			return err
		}
		if c.file == nil {
			return nil
		}
	}
	if len(c.in) == 0 {
		c.in = nil
	}
	return nil
}

// send writes a frame, now or when the peer reads.
func (c *conn) send(data []byte) {
	if c.file == nil {
		return
	}
	if err := c.add(data); err != nil {
		c.close(err)
		return
	}
	if c.waiting() > maxWaiting {
		c.close(fmt.Errorf("writing to a peer: it reads nothing"))
		return
	}
	if err := c.flush(); err != nil {
		c.close(err)
	}
}

func (c *conn) add(data []byte) error {
	if c.kept != nil {
		return c.kept.add(data)
	}
	c.out = append(c.out, data...)
	return nil
}

func (c *conn) waiting() int64 {
	if c.kept != nil {
		return c.kept.waiting()
	}
	return int64(len(c.out))
}

func (c *conn) flush() error {
	for c.waiting() > 0 {
		err := c.write()
		switch {
		case err == unix.EAGAIN:
			return c.watch.Set(loop.Readable | loop.Writable)
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("writing to a peer: %w", err)
		}
	}
	c.out = nil
	if c.kept != nil {
		if err := c.kept.shorten(c.in); err != nil {
			return err
		}
	}
	return c.watch.Set(loop.Readable)
}

// begun notes a call, until it is answered.
func (c *conn) begun(stream uint32, call []byte) {
	if c.kept != nil {
		c.kept.calls[stream] = slices.Clone(call)
	}
}

func (c *conn) answered(stream uint32) {
	if c.kept != nil {
		delete(c.kept.calls, stream)
	}
}

// write writes some of what waits.
func (c *conn) write() error {
	if c.kept != nil {
		return c.kept.send()
	}
	n, err := unix.SendmsgN(c.fd, c.out, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	c.out = c.out[max(n, 0):]
	return err
}

func (c *conn) close(err error) {
	if c.file == nil {
		return
	}
	c.watch.Stop()
	if c.kept != nil {
		unix.Shutdown(c.fd, unix.SHUT_RDWR) // the keeper may have it for a moment longer
		c.kept.drop()
	}
	c.file.Close()
	c.file = nil
	c.closed(err)
}

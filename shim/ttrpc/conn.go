package ttrpc

import (
	"fmt"
	"io"
	"os"

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
	frame  func(h header, data []byte) error
	closed func(err error)
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
	buf := make([]byte, 4096)
	n, err := unix.Read(c.fd, buf)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil
	case err != nil:
		return fmt.Errorf("reading from a peer: %w", err)
	case n == 0:
		return io.EOF
	}
	c.in = append(c.in, buf[:n]...)
	return c.frames()
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
		data := c.in[headerSize:size]
		c.in = c.in[size:]
		if err := c.frame(h, data); err != nil {
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
	c.out = append(c.out, data...)
	if len(c.out) > maxWaiting {
		c.close(fmt.Errorf("writing to a peer: it reads nothing"))
		return
	}
	if err := c.flush(); err != nil {
		c.close(err)
	}
}

func (c *conn) flush() error {
	for len(c.out) > 0 {
		n, err := unix.SendmsgN(c.fd, c.out, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch {
		case err == unix.EAGAIN:
			return c.watch.Set(loop.Readable | loop.Writable)
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("writing to a peer: %w", err)
		}
		c.out = c.out[max(n, 0):]
	}
	c.out = nil
	return c.watch.Set(loop.Readable)
}

func (c *conn) close(err error) {
	if c.file == nil {
		return
	}
	c.watch.Stop()
	c.file.Close()
	c.file = nil
	c.closed(err)
}

package ttrpc

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/protobuf"
)

// Client calls a server.
type Client struct {
	Metadata []KeyValue // goes with every call

	conn   conn
	stream uint32
	calls  map[uint32]func([]byte, error)
}

// Dial connects to a unix socket. closed is told of the end of the connection,
// after every call that was not answered has failed; may be nil.
func Dial(l *loop.Loop, path string, closed func(error)) (*Client, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("making a socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), path)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		file.Close()
		return nil, fmt.Errorf("connecting to %s: %w", path, err)
	}
	c := &Client{stream: 1, calls: map[uint32]func([]byte, error){}}
	c.conn.frame = c.response
	c.conn.closed = func(err error) { c.fail(err, closed) }
	if err := open(l, file, &c.conn); err != nil {
		file.Close()
		return nil, err
	}
	return c, nil
}

// Call makes a call. done is given the answer, an encoded message.
func (c *Client) Call(service, method string, m protobuf.Message, done func(answer []byte, err error)) {
	if c.conn.file == nil {
		done(nil, Errorf(Unavailable, "the connection is closed"))
		return
	}
	r := Request{Service: service, Method: method, Payload: protobuf.Marshal(m), Metadata: c.Metadata}
	c.calls[c.stream] = done
	stream := c.stream
	c.stream += 2
	c.conn.send(frame(stream, requestFrame, protobuf.Marshal(&r)))
}

// Close ends the connection.
func (c *Client) Close() { c.conn.close(nil) }

func (c *Client) response(f []byte) error {
	h := parseHeader(f)
	done := c.calls[h.stream]
	if h.kind != responseFrame || done == nil {
		return nil
	}
	delete(c.calls, h.stream)
	r := response{}
	err := protobuf.Unmarshal(f[headerSize:], &r)
	if err == nil && r.status != nil && r.status.Code != 0 {
		err = r.status
	}
	done(r.payload, err)
	return nil
}

func (c *Client) fail(err error, closed func(error)) {
	for stream, done := range c.calls {
		delete(c.calls, stream)
		done(nil, Errorf(Unavailable, "the connection ended: %v", err))
	}
	if closed != nil {
		closed(err)
	}
}

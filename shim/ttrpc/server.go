package ttrpc

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/protobuf"
)

// Answer ends a call, once: with a message, or a failure.
type Answer func(m protobuf.Message, err error)

// Server answers calls.
type Server struct {
	Loop   *loop.Loop
	Handle func(r *Request, answer Answer) // is called for each call
	Change func(connections int)           // is told how many connections there are; may be nil
	Gone   func(Peer)                      // is told that a connection has ended; may be nil

	listener *os.File
	watch    *loop.Watch
	conns    map[*conn]struct{}
}

// Serve accepts connections on a socket that listens. Only root and the
// server's own user are heard.
// CVE-2020-15257: containers in the host's network namespace reached shims.
func (s *Server) Serve(listener *os.File) error {
	s.listener, s.conns = listener, map[*conn]struct{}{}
	fd := int(listener.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	var err error
	s.watch, err = s.Loop.Watch(fd, loop.Readable, func(uint32) { s.accept(fd) })
	return err
}

// Close stops listening, and ends all connections.
func (s *Server) Close() {
	s.watch.Stop()
	s.listener.Close()
	for c := range s.conns {
		c.close(nil)
	}
}

func (s *Server) accept(listener int) {
	fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err != nil {
		return
	}
	file := os.NewFile(uintptr(fd), "connection")
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		file.Close()
		return
	}
	s.adopt(file)
}

// adopt answers the calls of one connection.
func (s *Server) adopt(file *os.File) {
	c := &conn{}
	c.frame = func(h header, data []byte) error { return s.request(c, h, data) }
	c.closed = func(error) {
		delete(s.conns, c)
		if s.Gone != nil {
			s.Gone(c)
		}
		s.changed()
	}
	if err := open(s.Loop, file, c); err != nil {
		file.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.changed()
}

func (s *Server) changed() {
	if s.Change != nil {
		s.Change(len(s.conns))
	}
}

func (s *Server) request(c *conn, h header, data []byte) error {
	r := &Request{Peer: c}
	if h.kind != requestFrame || h.stream%2 == 0 {
		return fmt.Errorf("reading from a peer: a frame of type %d in stream %d", h.kind, h.stream)
	}
	if err := protobuf.Unmarshal(data, r); err != nil {
		return err
	}
	s.Handle(r, func(m protobuf.Message, err error) {
		out := response{}
		if err != nil {
			out.status = statusOf(err)
		} else {
			out.status, out.payload = &Status{}, protobuf.Marshal(m)
		}
		c.send(frame(h.stream, responseFrame, protobuf.Marshal(&out)))
	})
	return nil
}

func statusOf(err error) *Status {
	if s, ok := err.(*Status); ok {
		return s
	}
	return &Status{Unknown, err.Error()}
}

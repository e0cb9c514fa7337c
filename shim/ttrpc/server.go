package ttrpc

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/keeper"
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
	// Keeper holds the connections, so that they outlive this process: the server
	// that follows goes on with them. nil for none.
	Keeper *keeper.Keeper
	// Repeatable tells whether a call that the server before this one was killed in
	// is made again. The others fail.
	Repeatable func(r *Request) bool

	listener *os.File
	watch    *loop.Watch
	conns    map[*conn]struct{}
	number   int // of the last connection that is kept
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
	s.resume()
	var err error
	s.watch, err = s.Loop.Watch(fd, loop.Readable, func(uint32) { s.accept(fd) })
	return err
}

// resume goes on with the connections of the server before this one.
func (s *Server) resume() {
	if s.Keeper == nil {
		return
	}
	for key, file := range s.Keeper.Kept {
		if !isConn(key) {
			continue
		}
		n, _ := strconv.Atoi(strings.TrimPrefix(key, connKey))
		s.number = max(s.number, n)
		k, err := resume(s.Keeper, key)
		if err != nil {
			s.Keeper.Drop(key)
			file.Close()
			continue
		}
		s.adopt(file, k)
	}
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
	s.adopt(file, s.keep(file))
}

// keep has the keeper hold a connection, if there is one. Without it the connection
// ends with this process.
func (s *Server) keep(file *os.File) *kept {
	if s.Keeper == nil {
		return nil
	}
	s.number++
	k, err := keep(s.Keeper, connKey+strconv.Itoa(s.number), file)
	if err != nil {
		return nil
	}
	return k
}

// adopt answers the calls of one connection, which may be kept.
func (s *Server) adopt(file *os.File, k *kept) {
	c := &conn{kept: k}
	c.frame = func(f []byte) error { return s.take(c, f, s.Handle) }
	c.closed = func(error) {
		delete(s.conns, c)
		if s.Gone != nil {
			s.Gone(c)
		}
		s.changed()
	}
	if err := open(s.Loop, file, c); err != nil {
		if k != nil {
			k.drop()
		}
		file.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.changed()
	if k != nil {
		if err := s.again(c); err != nil {
			c.close(err)
			return
		}
		if c.file == nil {
			return
		}
		if err := c.flush(); err != nil {
			c.close(err)
		}
	}
}

// again makes the calls again that another server was killed in, each once, and
// fails those of which it cannot be known whether they were carried out.
func (s *Server) again(c *conn) error {
	calls, begun, err := c.kept.unfinished()
	if err != nil {
		return err
	}
	c.in = begun
	if err := c.kept.rewrite(calls, begun); err != nil {
		return err
	}
	for _, call := range calls {
		if err := s.take(c, call, s.repeat); err != nil {
			return err
		}
	}
	return nil
}

// repeat makes a call again, or fails it.
func (s *Server) repeat(r *Request, answer Answer) {
	if s.Repeatable != nil && s.Repeatable(r) {
		s.Handle(r, answer)
		return
	}
	answer(nil, Errorf(Unavailable, "%s: the supervisor was killed meanwhile, and has been started again: unavailable", r.Method))
}

func (s *Server) changed() {
	if s.Change != nil {
		s.Change(len(s.conns))
	}
}

// take makes a call, which came as a frame, through handle.
func (s *Server) take(c *conn, call []byte, handle func(*Request, Answer)) error {
	r, h := &Request{Peer: c}, parseHeader(call)
	if h.kind != requestFrame || h.stream%2 == 0 {
		return fmt.Errorf("reading from a peer: a frame of type %d in stream %d", h.kind, h.stream)
	}
	if err := protobuf.Unmarshal(call[headerSize:], r); err != nil {
		return err
	}
	c.begun(h.stream, call)
	handle(r, func(m protobuf.Message, err error) {
		out := response{}
		if err != nil {
			out.status = statusOf(err)
		} else {
			out.status, out.payload = &Status{}, protobuf.Marshal(m)
		}
		c.answered(h.stream)
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

package ttrpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/protobuf"
)

// text is a message.
type text struct{ s string }

func (t *text) Fields(c *protobuf.Coder) { c.Text(1, &t.s) }

// answerTime is more than any answer takes.
const answerTime = 10 * time.Second

// served starts a server on a socket, and gives its path. Its loop ends with the
// test.
func served(t *testing.T, handle func(r *Request, answer Answer)) (*Server, string) {
	t.Helper()
	s := &Server{Loop: newLoop(t), Handle: handle}
	return s, s.begin(t)
}

func (s *Server) begin(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	listener.SetUnlinkOnClose(false)
	file, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(file); err != nil {
		t.Fatal(err)
	}
	run(t, s.Loop)
	return path
}

func newLoop(t *testing.T) *loop.Loop {
	t.Helper()
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func run(t *testing.T, l *loop.Loop) {
	ended := make(chan error)
	go func() { ended <- l.Run() }()
	t.Cleanup(func() {
		l.Post(l.Stop)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// raw connects without a client.
func raw(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(answerTime)); err != nil {
		t.Fatal(err)
	}
	return c
}

func request(stream uint32, r *Request) []byte {
	return frame(stream, requestFrame, protobuf.Marshal(r))
}

// echo answers with the payload, or fails where the method says so.
func echo(r *Request, answer Answer) {
	switch r.Method {
	case "Refuse":
		answer(nil, Errorf(NotFound, "no %s: not found", r.Metadata[0].Value))
	case "Fail":
		answer(nil, errors.New("broken"))
	default:
		answer(&text{string(r.Payload)}, nil)
	}
}

// Calls are answered whatever the order, and failures have their kinds.
func TestCalls(t *testing.T) {
	var late []func()
	_, path := served(t, func(r *Request, answer Answer) {
		late = append(late, func() { echo(r, answer) })
		if len(late) == 3 {
			for i := range late {
				late[len(late)-1-i]()
			}
		}
	})
	l := newLoop(t)
	c, err := Dial(l, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Metadata = []KeyValue{{"key", "value"}}
	got := make(chan string, 3)
	for _, method := range []string{"Echo", "Refuse", "Fail"} {
		c.Call("service", method, &text{"hello"}, func(data []byte, err error) {
			var m text
			code := Code(0)
			if s, ok := err.(*Status); ok {
				code = s.Code
			} else if err = protobuf.Unmarshal(data, &m); err == nil {
				err = protobuf.Unmarshal([]byte(m.s), &m)
			}
			got <- fmt.Sprintf("%s %q %d %v", method, m.s, code, err)
		})
	}
	run(t, l)
	for _, want := range []string{`Fail "" 2 broken`, `Refuse "" 5 no value: not found`, `Echo "hello" 0 <nil>`} {
		if s := <-got; s != want {
			t.Errorf("got %s, want %s", s, want)
		}
	}
}

// A call that comes a byte at a time is one, and so is each of several at once.
func TestPieces(t *testing.T) {
	_, path := served(t, echo)
	one := request(1, &Request{Payload: []byte("one")})
	for name, pieces := range map[string][][]byte{"bytes": split(one, 1), "at once": {bytes.Repeat(one, 3)}} {
		c := raw(t, path)
		for _, p := range pieces {
			if _, err := c.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		want := frame(1, responseFrame, protobuf.Marshal(&response{&Status{}, protobuf.Marshal(&text{"one"})}))
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: answered %x, %v, want %x", name, got, err, want)
		}
	}
}

func split(data []byte, size int) (pieces [][]byte) {
	for ; len(data) > size; data = data[size:] {
		pieces = append(pieces, data[:size])
	}
	return append(pieces, data)
}

// What is no call ends the connection, and no other.
func TestHostileFrames(t *testing.T) {
	_, path := served(t, echo)
	other := raw(t, path)
	for name, data := range map[string][]byte{
		"a huge frame":        {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, requestFrame, 0},
		"one byte too many":   {0, 0x40, 0, 1, 0, 0, 0, 1, requestFrame, 0},
		"an even stream":      request(2, &Request{}),
		"an answer":           frame(1, responseFrame, nil),
		"data of a stream":    frame(1, 3, nil),
		"an unknown type":     frame(1, 0, nil),
		"a message by half":   frame(1, requestFrame, []byte{0x0a, 0x7f, 'x'}),
		"a field without end": frame(1, requestFrame, bytes.Repeat([]byte{0xff}, 20)),
	} {
		c := raw(t, path)
		if _, err := c.Write(data); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); err != io.EOF && !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("%s: read %d bytes, %v, want the end", name, n, err)
		}
	}
	if _, err := other.Write(request(1, &Request{})); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Read(make([]byte, 1)); err != nil {
		t.Errorf("another connection: %v", err)
	}
}

// A peer that asks and does not read costs no more than a bound, and is left.
func TestPeerThatDoesNotRead(t *testing.T) {
	big := &text{string(make([]byte, 1<<20))}
	most := 0
	s := &Server{Loop: newLoop(t)}
	s.Handle = func(_ *Request, answer Answer) {
		answer(big, nil)
		for c := range s.conns {
			most = max(most, len(c.out))
		}
	}
	path := s.begin(t)
	c := raw(t, path)
	for stream := uint32(1); ; stream += 2 {
		if _, err := c.Write(request(stream, &Request{})); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection was not ended")
			}
			break
		}
	}
	connections := make(chan int)
	s.Loop.Post(func() { connections <- len(s.conns) })
	if n := <-connections; n != 0 {
		t.Errorf("%d connections are left", n)
	}
	if most > maxWaiting {
		t.Errorf("%d bytes were kept for a peer that does not read", most)
	}
}

// Clients that come, ask for what takes long, and go leave nothing behind.
func TestAbortedCalls(t *testing.T) {
	var waiting []Answer
	s, path := served(t, func(_ *Request, answer Answer) { waiting = append(waiting, answer) })
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := count()
	for range 1000 {
		c := raw(t, path)
		if _, err := c.Write(request(1, &Request{})); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	gone := make(chan bool)
	for done := false; !done; done = <-gone {
		s.Loop.Post(func() { gone <- len(s.conns) == 0 && len(waiting) == 1000 })
	}
	s.Loop.Post(func() {
		for _, answer := range waiting {
			answer(&text{"late"}, nil)
		}
		gone <- true
	})
	<-gone
	if after := count(); after > before {
		t.Errorf("%d descriptors, and before %d", after, before)
	}
}

// Whatever comes, in whatever pieces, is taken apart the same way, or refused.
func FuzzFrames(f *testing.F) {
	call := request(1, &Request{Service: "s", Method: "m", Payload: []byte("p"), Timeout: 1, Metadata: []KeyValue{{"k", "v"}}})
	f.Add(call, uint8(3))
	f.Add(append(bytes.Clone(call), call...), uint8(11))
	f.Add([]byte{0, 0x3f, 0xff, 0xff, 0, 0, 0, 1, 1, 0, 0}, uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		whole, wholeErr := calls(t, [][]byte{data})
		pieces, piecesErr := calls(t, split(data, max(int(size), 1)))
		if fmt.Sprint(whole) != fmt.Sprint(pieces) || (wholeErr == nil) != (piecesErr == nil) {
			t.Errorf("at once %q, %v; in pieces %q, %v", whole, wholeErr, pieces, piecesErr)
		}
	})
}

// calls are those in the pieces, up to an error.
func calls(t *testing.T, pieces [][]byte) (list []string, err error) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := &Server{Handle: func(r *Request, _ Answer) { list = append(list, string(protobuf.Marshal(r))) }}
	c := &conn{file: file}
	c.frame = func(f []byte) error { return s.take(c, f, s.Handle) }
	for _, p := range pieces {
		c.in = append(c.in, p...)
		if err := c.frames(); err != nil {
			return list, err
		}
		if len(c.in) > headerSize+maxData {
			t.Fatalf("%d bytes are kept", len(c.in))
		}
	}
	return list, nil
}

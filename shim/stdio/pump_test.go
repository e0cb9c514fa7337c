package stdio

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/loop"
)

// terminal makes a pair that passes on what is written to either as it is.
func terminal(tb testing.TB) (master, slave *os.File) {
	tb.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "master")
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		tb.Fatal(err)
	}
	if slave, err = openRaw(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_APPEND, 0); err != nil {
		tb.Fatal(err)
	}
	raw, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		tb.Fatal(err)
	}
	raw.Oflag &^= unix.OPOST
	raw.Lflag &^= unix.ICANON | unix.ECHO | unix.ISIG | unix.IEXTEN
	raw.Iflag &^= unix.ICRNL | unix.IXON
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, raw); err != nil {
		tb.Fatal(err)
	}
	return master, slave
}

// fifo opens both ends of one, as a client and this package do.
func fifo(tb testing.TB) (reader, sink *os.File) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		tb.Fatal(err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		tb.Fatal(err)
	}
	if sink, err = openRaw(path, os.O_WRONLY|unix.O_NONBLOCK, 0); err != nil {
		tb.Fatal(err)
	}
	return reader, sink
}

// ends are what a pump is between: what is written to writer is to be read from
// reader.
type ends struct{ writer, src, dst, reader *os.File }

// kinds are what streams are in practice.
var kinds = []struct {
	name string
	make func(tb testing.TB) ends
}{
	{"pipe to FIFO", func(tb testing.TB) (e ends) {
		e.src, e.writer = newPipe(tb)
		e.reader, e.dst = fifo(tb)
		return e
	}},
	{"terminal to FIFO", func(tb testing.TB) (e ends) {
		e.src, e.writer = terminal(tb)
		e.reader, e.dst = fifo(tb)
		return e
	}},
	{"pipe to file", func(tb testing.TB) (e ends) {
		e.src, e.writer = newPipe(tb)
		path := filepath.Join(tb.TempDir(), "file")
		var err error
		if e.dst, err = openRaw(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600); err != nil {
			tb.Fatal(err)
		}
		if e.reader, err = os.Open(path); err != nil {
			tb.Fatal(err)
		}
		return e
	}},
	// Opened for appending, which splice(2) does not do.
	{"pipe to terminal", func(tb testing.TB) (e ends) {
		e.src, e.writer = newPipe(tb)
		e.reader, e.dst = terminal(tb)
		return e
	}},
}

func newPipe(tb testing.TB) (r, w *os.File) {
	tb.Helper()
	r, w, err := pipe(0, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return r, w
}

// start begins to move; the result is closed when all has been moved.
func (e ends) start(tb testing.TB) (ended chan struct{}) {
	tb.Helper()
	l, err := loop.New()
	if err != nil {
		tb.Fatal(err)
	}
	p := &pump{loop: l, src: e.src, dst: e.dst, end: func() {
		e.src.Close()
		e.dst.Close()
		l.Stop()
	}}
	if err := p.start(); err != nil {
		tb.Fatal(err)
	}
	ended = make(chan struct{})
	go func() {
		l.Run()
		close(ended)
	}()
	return ended
}

// write writes in pieces of a size. A terminal may take less than it is given.
func (e ends) write(data []byte, size int) {
	for len(data) > 0 {
		n, err := unix.Write(int(e.writer.Fd()), data[:min(size, len(data))])
		if err != nil && err != unix.EINTR {
			break
		}
		data = data[max(n, 0):]
	}
}

// Every byte arrives, in order, whatever the pieces are, before the writer ends.
func TestPump(t *testing.T) {
	data := make([]byte, 300_000)
	rand.NewChaCha8([32]byte{}).Read(data)
	for _, kind := range kinds {
		for _, size := range []int{7, 4096, 1 << 17} {
			t.Run(fmt.Sprintf("%s by %d", kind.name, size), func(t *testing.T) {
				e := kind.make(t)
				defer e.reader.Close()
				ended := e.start(t)
				if kind.name == "pipe to file" { // whose end is wherever it has been read to
					e.write(data, size)
					e.writer.Close()
					<-ended
				} else {
					go e.write(data, size)
				}
				got := make([]byte, len(data))
				if n, err := io.ReadFull(e.reader, got); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes arrived, of %d, or others: %v", n, len(data), err)
				}
				e.writer.Close()
				<-ended
			})
		}
	}
}

// What has been read, and found no room, is written when there is some, though
// nothing more comes.
func TestCarry(t *testing.T) {
	e := kinds[3].make(t)
	defer e.reader.Close()
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	p := &pump{loop: l, src: e.src, dst: e.dst, end: l.Stop}
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	written := 0
	for ; len(p.carry) == 0; p.move() {
		n, err := unix.Write(int(e.writer.Fd()), make([]byte, 100))
		if err != nil {
			t.Fatal(err)
		}
		written += n
	}
	go l.Run()
	if n, err := io.ReadFull(e.reader, make([]byte, written)); err != nil {
		t.Errorf("%d bytes arrived, of %d: %v", n, written, err)
	}
	e.writer.Close()
}

// BenchmarkPump shows what the processor does for a stream beside what the
// stream's two ends cost themselves.
func BenchmarkPump(b *testing.B) {
	for _, kind := range kinds[:2] {
		for _, size := range []int{80, 1024, 4096} {
			b.Run(fmt.Sprintf("%s by %d", kind.name, size), func(b *testing.B) {
				e := kind.make(b)
				defer e.reader.Close()
				b.SetBytes(int64(size))
				begin := processorTime(b)
				ended := e.start(b)
				go func() {
					e.write(make([]byte, size*b.N), size)
					e.writer.Close()
				}()
				io.Copy(io.Discard, e.reader)
				<-ended
				b.ReportMetric(float64(processorTime(b)-begin)/float64(size*b.N), "cpu-ns/byte")
			})
		}
	}
}

// processorTime is what this process has used, in nanoseconds.
func processorTime(tb testing.TB) int64 {
	tb.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

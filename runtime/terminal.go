package main

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/containerd/console"
	"golang.org/x/sys/unix"
)

// terminal joins the terminal that davit is called on with the one that it
// made for the container. Where davit has no terminal, the container's is
// joined with standard input and output as they are. A nil terminal is that of
// a container without one.
type terminal struct {
	in, out *os.File
	host    console.Console // nil without one
	master  *os.File
	copied  chan struct{} // closed when the program's output is written
	once    sync.Once
}

// newTerminal looks for the caller's terminal.
func newTerminal() *terminal {
	return &terminal{in: os.Stdin, out: os.Stdout, host: hostConsole()}
}

// hostConsole is the caller's terminal: one of the standard streams, or the
// controlling terminal if all of them are redirected; nil if there is none.
func hostConsole() console.Console {
	for _, f := range []*os.File{os.Stderr, os.Stdout, os.Stdin} {
		if c, err := console.ConsoleFromFile(f); err == nil {
			return c
		}
	}
	f, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil
	}
	c, err := console.ConsoleFromFile(f)
	if err != nil {
		f.Close()
		return nil
	}
	return c
}

// attach is given the master of the container's terminal, before its program
// starts.
func (t *terminal) attach(master *os.File) error {
	pollable, err := reopenPollable(master)
	if err != nil {
		return err
	}
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE) // the output's reader may go: Go would end davit
	t.master = pollable
	t.copied = make(chan struct{})
	go t.copyOutput()
	go func() { io.Copy(writerOnly{t.master}, readerOnly{t.in}) }()
	if err := clearONLCR(t.master); err != nil {
		return err
	}
	t.resize()
	if t.host == nil {
		return nil
	}
	return t.host.SetRaw()
}

// reopenPollable is the master as a file that can wait with a deadline.
func reopenPollable(master *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "ptmx"), nil
}

// clearONLCR keeps the container's terminal from turning line feeds into
// carriage returns: the caller's terminal does it, and a file wants none.
func clearONLCR(master *os.File) error {
	return control(master, console.ClearONLCR)
}

// resize gives the container's terminal the size of the caller's. One that
// has no size, such as a pipe's pseudoterminal, leaves the configured one.
func (t *terminal) resize() {
	if t == nil || t.host == nil || t.master == nil {
		return
	}
	size, err := t.host.Size()
	if err != nil || size.Height == 0 || size.Width == 0 {
		return
	}
	control(t.master, func(fd uintptr) error {
		return unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: size.Height, Col: size.Width})
	})
}

// control runs an ioctl on a file without taking it out of the poller, as
// File.Fd would.
func control(f *os.File, ioctl func(fd uintptr) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = ioctl(fd) }); err != nil {
		return err
	}
	return inner
}

// copyOutput writes what the program writes, until nobody has its terminal
// open (EIO) or until the deadline that close sets.
func (t *terminal) copyOutput() {
	defer close(t.copied)
	if _, err := io.Copy(writerOnly{t.out}, readerOnly{t.master}); errors.Is(err, os.ErrDeadlineExceeded) {
		t.drain()
	}
}

// drain writes what is left in the terminal when the program has ended but
// others, outside its pid namespace, keep the terminal open.
func (t *terminal) drain() {
	buf := make([]byte, 32<<10)
	control(t.master, func(fd uintptr) error {
		for {
			n, err := unix.Read(int(fd), buf)
			if n <= 0 || err != nil {
				return err
			}
			if _, err := t.out.Write(buf[:n]); err != nil {
				return err
			}
		}
	})
}

// close waits for the rest of the program's output and gives the caller's
// terminal back as it was. It may be called twice.
func (t *terminal) close() {
	if t != nil {
		t.once.Do(t.finish)
	}
}

// finish does close's work.
func (t *terminal) finish() {
	if t.master != nil {
		t.master.SetReadDeadline(time.Now())
		<-t.copied
		t.master.Close()
	}
	if t.host != nil {
		t.host.Reset()
	}
}

// writerOnly and readerOnly hide from io.Copy that both ends are files: the
// kernel's ways to copy between files do not work on terminals.
type (
	writerOnly struct{ io.Writer }
	readerOnly struct{ io.Reader }
)

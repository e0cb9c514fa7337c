package main

import (
	"io"
	"os"
	"testing"

	"github.com/containerd/console"

	"github.com/davit-containers/davit/conformance/needs"
)

// program is a container's terminal in a test: the master that davit gets,
// and the slave that the program has.
func newPty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	c, path, err := console.NewPty()
	if err != nil {
		needs.Kernel(t, needs.Devpts, err)
	}
	t.Cleanup(func() { c.Close() })
	slave, err = os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(c.Fd(), "master"), slave
}

// joined is a terminal joined with pipes instead of the caller's.
func joined(t *testing.T, master *os.File) (term *terminal, in *os.File, out *os.File) {
	t.Helper()
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inWrite.Close(); outRead.Close() })
	term = &terminal{in: inRead, out: outWrite}
	if err := term.attach(master); err != nil {
		t.Fatal(err)
	}
	return term, inWrite, outRead
}

func TestTerminalOutput(t *testing.T) {
	tests := []struct {
		name  string
		leave func(slave *os.File) // what becomes of the slave when the program ends
	}{
		{"program closes the terminal", func(slave *os.File) { slave.Close() }},
		{"another process keeps the terminal", func(*os.File) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			master, slave := newPty(t)
			defer slave.Close()
			term, _, out := joined(t, master)
			go func() {
				io.WriteString(slave, "one\ntwo\n")
				tt.leave(slave)
				term.close()
				term.out.Close()
			}()
			got, err := io.ReadAll(out)
			if err != nil || string(got) != "one\ntwo\n" {
				t.Errorf("got %q, %v", got, err)
			}
			term.close() // a second time does nothing
		})
	}
}

func TestTerminalInput(t *testing.T) {
	master, slave := newPty(t)
	defer slave.Close()
	term, in, _ := joined(t, master)
	defer term.close()
	io.WriteString(in, "hello\n")
	buf := make([]byte, 64)
	n, err := slave.Read(buf)
	if err != nil || string(buf[:n]) != "hello\n" {
		t.Errorf("got %q, %v", buf[:n], err)
	}
}

func TestTerminalSize(t *testing.T) {
	master, slave := newPty(t)
	defer slave.Close()
	host, _, err := console.NewPty()
	if err != nil {
		needs.Kernel(t, needs.Devpts, err)
	}
	defer host.Close()
	program, err := console.ConsoleFromFile(slave)
	if err != nil {
		t.Fatal(err)
	}
	sized := console.WinSize{Height: 33, Width: 99}
	if err := program.Resize(sized); err != nil {
		t.Fatal(err)
	}
	term, _, _ := joined(t, master)
	defer term.close()
	term.host = host
	term.resize() // the caller's terminal has no size
	if got, _ := program.Size(); got.Height != 33 {
		t.Errorf("got height %d, want the configured 33", got.Height)
	}
	if err := host.Resize(console.WinSize{Height: 10, Width: 20}); err != nil {
		t.Fatal(err)
	}
	term.resize()
	if got, _ := program.Size(); got.Height != 10 || got.Width != 20 {
		t.Errorf("got size %v, want the caller's", got)
	}
}

package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/davit-containers/davit/conformance/vm/wire"
)

// Options are what guests may differ in.
type Options struct {
	MemoryMiB int // of the guest; 0 means 2048
}

// A Guest is a running machine.
type Guest struct {
	qemu    *exec.Cmd
	port    *os.File // the conversation with the agent
	dir     string   // the console's log, and QEMU's temporary files
	release func()
}

// A Command is what a guest shall run.
type Command struct {
	Args           []string
	Env            []string // besides the guest's own
	Dir            string   // in the guest; "" means /
	User           bool     // as an ordinary user in a session of his, not as root
	Shares         []Share  // host folders to be seen from now on
	Stdout, Stderr io.Writer
}

// A Share is a folder of the host, at the same path in the guest.
type Share = wire.Share

// Start boots a guest, which ends with ctx at the latest. It waits while other
// guests take all the room there is.
func (i Image) Start(ctx context.Context, o Options) (*Guest, error) {
	release, err := takeSlot(ctx, filepath.Dir(i.dir))
	if err != nil {
		return nil, err
	}
	guest, err := i.boot(ctx, o)
	if err != nil {
		release()
		return nil, err
	}
	guest.release = release
	return guest, nil
}

// boot starts QEMU and waits for the agent.
func (i Image) boot(ctx context.Context, o Options) (*Guest, error) {
	dir, err := os.MkdirTemp("", "davit-vm-")
	if err != nil {
		return nil, err
	}
	guest := &Guest{dir: dir}
	if err := guest.power(ctx, i, o); err != nil {
		guest.halt()
		return nil, errors.Join(fmt.Errorf("starting a guest: %w", err), os.RemoveAll(dir))
	}
	if err := guest.greet(); err != nil {
		err = fmt.Errorf("waiting for the guest: %w%s", err, guest.lastWords())
		guest.halt()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return guest, nil
}

// power starts QEMU with a socket to the agent's port.
func (g *Guest) power(ctx context.Context, i Image, o Options) error {
	host, guest, err := socketPair()
	if err != nil {
		return err
	}
	defer guest.Close()
	g.port = host
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", machine(i, o, g.console())...)
	qemu.Env = append(os.Environ(), "TMPDIR="+g.dir)
	qemu.ExtraFiles = []*os.File{guest}
	qemu.SysProcAttr = dieWithParent()
	qemu.Stderr = os.Stderr
	if err := qemu.Start(); err != nil {
		return err
	}
	g.qemu = qemu
	return nil
}

// greet waits for the agent's first frame.
func (g *Guest) greet() error {
	kind, _, err := wire.Read(g.port)
	if err == nil && kind != wire.Ready {
		err = fmt.Errorf("unexpected frame %q", kind)
	}
	return err
}

// Run runs a command and returns its exit status, or 128 and the number of the
// signal that killed it. An error says that the guest could not run it.
func (g *Guest) Run(c Command) (status int, err error) {
	request := wire.Request{Args: c.Args, Env: c.Env, Dir: c.Dir, User: c.User, Shares: c.Shares, Now: time.Now()}
	if err := wire.WriteJSON(g.port, wire.Run, request); err != nil {
		return 0, fmt.Errorf("asking the guest: %w", err)
	}
	for {
		kind, payload, err := wire.Read(g.port)
		if err != nil {
			return 0, fmt.Errorf("hearing from the guest: %w%s", err, g.lastWords())
		}
		switch kind {
		case wire.Stdout:
			_, err = c.Stdout.Write(payload)
		case wire.Stderr:
			_, err = c.Stderr.Write(payload)
		case wire.Refused:
			return 0, fmt.Errorf("running %s in the guest: %s", c.Args[0], payload)
		case wire.Exited:
			var exit wire.Exit
			err = json.Unmarshal(payload, &exit)
			return exit.Status, err
		}
		if err != nil {
			return 0, err
		}
	}
}

// Stop ends the guest at once. What it wrote to its disk is forgotten.
func (g *Guest) Stop() error {
	g.halt()
	g.release()
	return os.RemoveAll(g.dir)
}

// halt ends QEMU.
func (g *Guest) halt() {
	if g.qemu != nil {
		_ = g.qemu.Process.Kill()
		_ = g.qemu.Wait()
	}
	if g.port != nil {
		g.port.Close()
	}
}

// console is the file with what the guest's kernel and systemd print.
func (g *Guest) console() string { return filepath.Join(g.dir, "console") }

// lastWords is the end of the console, for an error's text.
func (g *Guest) lastWords() string {
	console, err := os.ReadFile(g.console())
	if err != nil || len(console) == 0 {
		return ""
	}
	const enough = 2000
	return "; the guest's console ends with:\n" + string(console[max(0, len(console)-enough):])
}

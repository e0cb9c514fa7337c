package vm

import (
	"context"
	"crypto/rand"
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
	MemoryMiB int  // of the guest; 0 means 2048
	Boot      bool // boot, even where a guest that has booted can be restored
}

// defaultMemoryMiB is the memory of a guest whose options name none.
const defaultMemoryMiB = 2048

// A Guest is a running machine.
type Guest struct {
	qemu    *exec.Cmd
	port    *os.File // the conversation with the agent
	monitor *monitor // that with QEMU
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

// Start starts a guest, which ends with ctx at the latest. It waits while other
// guests take all the room there is. The first one of an image boots twice: what
// it is then is saved, and later ones are restored from that.
func (i Image) Start(ctx context.Context, o Options) (*Guest, error) {
	release, err := takeSlot(ctx, filepath.Dir(i.dir))
	if err != nil {
		return nil, err
	}
	if o.MemoryMiB == 0 {
		o.MemoryMiB = defaultMemoryMiB
	}
	start := i.restore
	if o.Boot || o.MemoryMiB != defaultMemoryMiB {
		start = func(ctx context.Context) (*Guest, error) { return i.boot(ctx, o.MemoryMiB) }
	}
	guest, err := start(ctx)
	if err != nil {
		release()
		return nil, fmt.Errorf("starting a guest: %w", err)
	}
	guest.release = release
	return guest, nil
}

// boot boots a guest.
func (i Image) boot(ctx context.Context, memoryMiB int) (*Guest, error) {
	guest, err := power(ctx, append(machine(i, memoryMiB), disk(i.root(), forgotten)...))
	if err != nil {
		return nil, err
	}
	if err := guest.greet(); err != nil {
		return nil, errors.Join(err, guest.halt())
	}
	return guest, nil
}

// restore starts a guest that has booted before.
func (i Image) restore(ctx context.Context) (*Guest, error) {
	saved, err := i.booted(ctx)
	if err != nil {
		return nil, err
	}
	args := append(machine(i, defaultMemoryMiB), disk(saved.disk(), forgotten)...)
	guest, err := power(ctx, append(append(args, memory(saved.memory(), forgotten)...), "-incoming", "defer"))
	if err != nil {
		return nil, err
	}
	if err := guest.monitor.migrate("migrate-incoming", "exec:exec cat '"+saved.state()+"'"); err != nil {
		return nil, errors.Join(err, guest.halt())
	}
	return guest, nil
}

// power starts QEMU with sockets to the agent's port and to its monitor.
func power(ctx context.Context, args []string) (*Guest, error) {
	dir, err := os.MkdirTemp("", "davit-vm-")
	if err != nil {
		return nil, err
	}
	guest := &Guest{dir: dir}
	if err := guest.power(ctx, args); err != nil {
		return nil, errors.Join(err, guest.halt())
	}
	return guest, nil
}

func (g *Guest) power(ctx context.Context, args []string) error {
	port, theirPort, err := socketPair()
	if err != nil {
		return err
	}
	defer theirPort.Close()
	g.port = port
	monitor, theirMonitor, err := socketPair()
	if err != nil {
		return err
	}
	defer theirMonitor.Close()
	cmd := exec.CommandContext(ctx, qemu, append(args, channels(g.console())...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+g.dir)
	cmd.ExtraFiles = []*os.File{theirPort, theirMonitor}
	cmd.SysProcAttr = dieWithParent()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		monitor.Close()
		return err
	}
	g.qemu = cmd
	g.monitor, err = newMonitor(monitor)
	return err
}

// greet waits for the agent's first frame.
func (g *Guest) greet() error {
	kind, _, err := wire.Read(g.port)
	if err == nil && kind != wire.Ready {
		err = fmt.Errorf("unexpected frame %q", kind)
	}
	if err != nil {
		return fmt.Errorf("waiting for the guest: %w%s", err, g.lastWords())
	}
	return nil
}

// Run runs a command and returns its exit status, or 128 and the number of the
// signal that killed it. An error says that the guest could not run it.
func (g *Guest) Run(c Command) (status int, err error) {
	request := wire.Request{Args: c.Args, Env: c.Env, Dir: c.Dir, User: c.User, Shares: c.Shares, Now: time.Now(), Seed: rand.Text()}
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
	defer g.release()
	return g.halt()
}

// halt ends QEMU and removes what it leaves.
func (g *Guest) halt() error {
	if g.qemu != nil {
		_ = g.qemu.Process.Kill()
		_ = g.qemu.Wait()
	}
	if g.monitor != nil {
		g.monitor.socket.Close()
	}
	if g.port != nil {
		g.port.Close()
	}
	return os.RemoveAll(g.dir)
}

// save writes the guest's state, and ends QEMU so that its disk is complete.
func (g *Guest) save(state string) error {
	if err := g.monitor.migrate("migrate", "exec:exec cat > '"+state+"'"); err != nil {
		return err
	}
	if err := g.monitor.execute("quit", nil); err != nil {
		return err
	}
	return g.qemu.Wait()
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

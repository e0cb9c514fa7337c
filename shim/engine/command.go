package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/console"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/libcontainer/cgroup"
)

// command is another runtime, by its command line, which is runc's.
type command struct {
	program string
	root    string
	bundle  string
	systemd bool
	trace   Trace
}

func newCommand(o *Options, bundle, namespace string) *command {
	root := o.Root
	if root == "" {
		root = "/run/containerd/" + filepath.Base(o.Binary)
	}
	return &command{
		program: o.Binary, root: filepath.Join(root, namespace), bundle: bundle, systemd: o.Systemd,
	}
}

// traced hands the trace to the runtime by its environment, which hooks inherit
// of those runtimes that know nothing of traces.
func (c *command) traced(t Trace) maker {
	other := *c
	other.trace = t
	return &other
}

// run runs the runtime. What it logs as its last error is the error.
func (c *command) run(files [3]*os.File, args ...string) (err error) {
	log, err := os.CreateTemp(c.bundle, "log-*.json") // its own: several run at once
	if err != nil {
		return fmt.Errorf("making a log for %s: %w", filepath.Base(c.program), err)
	}
	defer os.Remove(log.Name())
	defer log.Close()
	global := []string{"--root", c.root, "--log", log.Name(), "--log-format", "json"}
	if c.systemd {
		global = append(global, "--systemd-cgroup")
	}
	cmd := exec.Command(c.program, append(global, args...)...)
	cmd.Env = append(os.Environ(), c.trace...)
	output := lastBytes{most: maxMessages}
	// A container's streams are its program's; otherwise what is printed there is
	// the reason of a failure.
	if files != ([3]*os.File{}) {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = files[0], files[1], files[2]
	} else {
		cmd.Stdout, cmd.Stderr = &output, &output
	}
	if err = runProgram(cmd); err == nil {
		return nil
	}
	if message := lastError(log); message != "" {
		return errors.New(message)
	}
	if text := strings.TrimSpace(output.String()); text != "" {
		return fmt.Errorf("%s: %w", strings.Join(strings.Fields(text), " "), err)
	}
	return fmt.Errorf("%s %s: %w", filepath.Base(c.program), args[0], err)
}

// outputGrace is how long the output of a program is awaited that has ended, where
// others have its streams.
const outputGrace = time.Second

// runProgram runs a program whose output is read.
func runProgram(cmd *exec.Cmd) error {
	cmd.WaitDelay = outputGrace
	if err := cmd.Run(); !errors.Is(err, exec.ErrWaitDelay) {
		return err
	}
	return nil
}

// ask runs a program for what it prints.
func ask(program string, args ...string) ([]byte, error) {
	answer := firstBytes{most: maxAnswer}
	cmd := exec.Command(program, args...)
	cmd.Stdout = &answer
	err := runProgram(cmd)
	if answer.full {
		err = fmt.Errorf("it answers with more than %d bytes", maxAnswer)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", filepath.Base(program), strings.Join(args, " "), err)
	}
	return answer.data, nil
}

// FeaturesOf asks a runtime, by its command line, what it can do. What it answers
// is JSON, by the specification.
// Spec: features.md
func FeaturesOf(program string) ([]byte, error) { return ask(program, "features") }

// lastError is the message of the last error in a runtime's log.
func lastError(log *os.File) (message string) {
	data, err := readEnd(log, maxMessages)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(data) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && entry.Level == "error" {
			message = strings.TrimSpace(entry.Msg)
		}
	}
	return message
}

// make runs a command that makes a process, whose parent then has ended: the
// keeper is told how it ends.
func (c *command) make(o outlets, args func(terminal []string) []string) (b born, err error) {
	if o.console == nil {
		err = c.run(o.stdio, args(nil)...)
	} else {
		err = c.makeTerminal(o, args)
	}
	if err != nil {
		return b, err
	}
	return bornOf(o.pidFile)
}

// makeTerminal receives the master of the process's terminal.
func (c *command) makeTerminal(o outlets, args func(terminal []string) []string) error {
	dir, err := os.MkdirTemp("", "pty")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	listener, err := listenFor(path)
	if err != nil {
		return err
	}
	defer listener.Close()
	if err := c.run([3]*os.File{}, args([]string{"--console-socket", path})...); err != nil {
		return err
	}
	master, err := receiveMaster(listener)
	if err != nil {
		return fmt.Errorf("receiving the terminal: %w", err)
	}
	return o.console(master)
}

func listenFor(path string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), path)
	if err = unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err == nil {
		err = unix.Listen(fd, 1)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	return f, nil
}

// receiveMaster takes the descriptor that the runtime has sent before it ended.
func receiveMaster(listener *os.File) (*os.File, error) {
	if err := unix.SetNonblock(int(listener.Fd()), true); err != nil {
		return nil, err
	}
	conn, _, err := unix.Accept4(int(listener.Fd()), unix.SOCK_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(conn)
	control := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(conn, make([]byte, 256), control, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) == 0 {
		return nil, errors.New("the runtime has sent none")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return nil, errors.New("the runtime has sent none")
	}
	master := os.NewFile(uintptr(fds[0]), "/dev/ptmx")
	return master, console.ClearONLCR(master.Fd())
}

// maxPidFile is more than a pid has, in bytes.
const maxPidFile = 32

// bornOf finds the process whose pid is in a file. One that has ended already
// has been reaped by the keeper.
func bornOf(pidFile string) (born, error) {
	f, err := os.OpenFile(pidFile, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return born{}, fmt.Errorf("reading the runtime's pid file: %w", err)
	}
	defer f.Close()
	data, err := readEnd(f, maxPidFile)
	if err != nil {
		return born{}, fmt.Errorf("reading the runtime's pid file: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return born{}, fmt.Errorf("reading the runtime's pid file: %w", err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return born{pid: pid}, nil
	}
	if err != nil {
		return born{}, fmt.Errorf("opening process %d: %w", pid, err)
	}
	return born{pid, os.NewFile(uintptr(fd), "pidfd")}, nil
}

func (c *command) create(t *Create, o outlets) (born, error) {
	return c.make(o, func(terminal []string) []string {
		args := append([]string{"create", "--bundle", t.Bundle, "--pid-file", o.pidFile}, terminal...)
		return append(append(args, t.Options.creationFlags()...), t.ID)
	})
}

func (o *Options) creationFlags() (flags []string) {
	if o.NoPivot {
		flags = append(flags, "--no-pivot")
	}
	if o.NoNewKeyring {
		flags = append(flags, "--no-new-keyring")
	}
	return flags
}

func (c *command) restore(t *Create, o outlets) (born, error) {
	return c.make(o, func(terminal []string) []string {
		args := append([]string{"restore", "--detach", "--bundle", t.Bundle, "--pid-file", o.pidFile,
			"--image-path", t.Checkpoint, "--work-path", t.criuWork()}, terminal...)
		return append(append(args, t.Options.creationFlags()...), t.ID)
	})
}

func (c *command) start(id string) error { return c.run([3]*os.File{}, "start", id) }

func (c *command) exec(id string, p *specs.Process, o outlets) (b born, err error) {
	file, err := os.CreateTemp("", "process")
	if err != nil {
		return b, err
	}
	defer os.Remove(file.Name())
	err = json.NewEncoder(file).Encode(p)
	if err = errors.Join(err, file.Close()); err != nil {
		return b, err
	}
	return c.make(o, func(terminal []string) []string {
		args := append([]string{"exec", "--detach", "--process", file.Name(), "--pid-file", o.pidFile}, terminal...)
		return append(args, id)
	})
}

func (c *command) kill(id string, sig unix.Signal, all bool) error {
	args := []string{"kill"}
	if all {
		args = append(args, "--all")
	}
	err := c.run([3]*os.File{}, append(args, id, strconv.Itoa(int(sig)))...)
	if err == nil {
		return nil
	}
	for _, text := range []string{"container not running", "no such process", "process already finished", "does not exist"} {
		if strings.Contains(strings.ToLower(err.Error()), text) {
			return refuse(NotFound, "process already finished: not found")
		}
	}
	return err
}

func (c *command) pause(id string) error  { return c.run([3]*os.File{}, "pause", id) }
func (c *command) resume(id string) error { return c.run([3]*os.File{}, "resume", id) }

func (c *command) update(id string, r *specs.LinuxResources) error {
	file, err := os.CreateTemp("", "resources")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	err = json.NewEncoder(file).Encode(r)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return c.run([3]*os.File{}, "update", "--resources", file.Name(), id)
}

func (c *command) checkpoint(id string, o CheckpointOptions) error {
	args := []string{"checkpoint", "--image-path", o.Image, "--work-path", o.Work}
	for flag, set := range map[string]bool{
		"--leave-running": !o.Exit, "--tcp-established": o.TCP, "--ext-unix-sk": o.ExtUnixSockets,
		"--shell-job": o.Terminal, "--file-locks": o.FileLocks,
	} {
		if set {
			args = append(args, flag)
		}
	}
	if o.Parent != "" {
		args = append(args, "--parent-path", o.Parent)
	}
	if o.CgroupsMode != "" {
		args = append(args, "--manage-cgroups-mode", o.CgroupsMode)
	}
	for _, ns := range o.EmptyNamespaces {
		args = append(args, "--empty-ns", ns)
	}
	return c.run([3]*os.File{}, append(args, id)...)
}

func (c *command) remove(id string) error {
	err := c.run([3]*os.File{}, "delete", "--force", id)
	if err != nil && strings.Contains(err.Error(), "does not exist") {
		return nil
	}
	return err
}

// cgroup finds the cgroup of a container by its first process, as the runtime's
// own state has it.
func (c *command) cgroup(id string) (*cgroup.Manager, error) {
	out, err := ask(c.program, "--root", c.root, "state", id)
	if err != nil {
		return nil, err
	}
	var state struct{ Pid int }
	if err := json.Unmarshal(out, &state); err != nil || state.Pid == 0 {
		return nil, refuse(NotFound, "process already finished: not found")
	}
	return cgroup.OfProcess(state.Pid)
}

func (c *command) pids(id string) ([]int, error) {
	m, err := c.cgroup(id)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return m.Pids()
}

func (c *command) stats(id string) (*libcontainer.Stats, error) {
	m, err := c.cgroup(id)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	s, err := m.Stats()
	return &libcontainer.Stats{Cgroup: s}, err
}

func (c *command) watchOOM(id string) (*cgroup.OOMWatch, error) {
	m, err := c.cgroup(id)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return m.WatchOOM()
}

func (c *command) oom(id string) (kills uint64, level string, err error) {
	m, err := c.cgroup(id)
	if err != nil {
		return 0, "", err
	}
	defer m.Close()
	return m.OOM()
}

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/cgroup"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/plan"
	"github.com/davit-containers/davit/libcontainer/spec"
)

// ExecOptions are what a caller says of one more process. Paths are the host's.
type ExecOptions struct {
	Process       *specs.Process
	Stdio         [3]*os.File                 // the process's standard streams where it has no terminal; nil is closed
	ConsoleSocket string                      // is sent the terminal's master
	Console       func(master *os.File) error // is given the terminal's master where there is no ConsoleSocket
	PidFile       string                      // is written the pid
	PidfdSocket   string                      // is sent a pidfd
	PreserveFDs   int                         // descriptors from 3 on that are passed on
	// Cgroups are those below the container's that the process enters, by v1
	// controller; the empty name stands for all. None is the container's own,
	// or that of its first process where that one takes no processes.
	Cgroups      map[string]string
	IgnorePaused bool // enter a paused container, to run when it is resumed
}

// Process is one that was executed in a container.
type Process struct {
	pid   int
	pidfd *os.File
}

// Pid is the process's number on the host.
func (p *Process) Pid() int { return p.pid }

// Pidfd is its pidfd, which is ready to be read when it has ended. It belongs
// to the Process: the caller does not close it.
func (p *Process) Pidfd() *os.File { return p.pidfd }

// Wait waits for its end. Only the process that executed it can.
func (p *Process) Wait() (ExitStatus, error) {
	exit, err := sys.PidfdWait(p.pidfd)
	return ExitStatus{exit}, err
}

// Signal sends it a signal. ErrNotRunning: it has ended.
func (p *Process) Signal(sig unix.Signal) error {
	err := sys.PidfdSignal(p.pidfd, sig)
	if errors.Is(err, unix.ESRCH) {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("sending signal %d to process %d: %w", sig, p.pid, err)
	}
	return nil
}

// Close releases what this process holds of it; it goes on.
func (p *Process) Close() error { return p.pidfd.Close() }

// execution is one process while it is made in a container.
type execution struct {
	making
	container *Container
	options   ExecOptions
	config    *specs.Spec
	init      *os.File // a pidfd of the container's first process
	entry     *cgroup.Entry
	dir       *os.File // the cgroup in which the stage is created
}

// Exec executes one more process in the container. When it returns without an
// error, the program has been executed. Nothing is written down about it: it
// belongs to its cgroup. ErrPaused: the container is paused; ErrNotRunning: it
// does not run.
func (c *Container) Exec(o ExecOptions) (*Process, error) {
	e, err := c.prepareExec(o)
	if err != nil {
		return nil, err
	}
	defer e.close()
	for _, w := range e.plan.Warnings {
		c.runtime.warn(w)
	}
	err = e.run()
	e.clock.report(c.runtime.Trace)
	if err != nil {
		e.undo()
		return nil, orStopped(err)
	}
	return &Process{e.stage.Pid, e.stage.Pidfd}, nil
}

// orStopped is an error, or that the container's process ended while it was to be joined.
func orStopped(err error) error {
	var step *StepError
	if errors.As(err, &step) && step.is(plan.OpSetns) && step.Errno == unix.ESRCH {
		return errStopped
	}
	return err
}

// errStopped is Exec's.
// Compat(runc): its text.
var errStopped = &StatusError{"cannot exec in a stopped container", ErrNotRunning}

// prepareExec decides all that can be decided before there is a process.
func (c *Container) prepareExec(o ExecOptions) (*execution, error) {
	if err := spec.ValidateProcess(o.Process); err != nil {
		return nil, err
	}
	if err := c.checkExec(o.IgnorePaused); err != nil {
		return nil, err
	}
	e := &execution{container: c, options: o, making: making{
		runtime: c.runtime, doing: "executing a process in the container", limited: true,
		outlets: outlets{o.Stdio, o.PreserveFDs, o.ConsoleSocket, o.Console, o.PidfdSocket},
	}}
	e.maker = e
	err := inOrder(c.runtime.Trace, e, []phase[*execution]{
		{"reading the configuration", (*execution).configure},
		{"opening the container's process", (*execution).openInit},
		{"choosing the cgroup", (*execution).chooseCgroup},
		{"compiling the plan", (*execution).compilePlan},
	})
	if err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// checkExec refuses a container that has nothing to enter.
// Compat(runc): its texts.
func (c *Container) checkExec(ignorePaused bool) error {
	status, err := c.Status()
	switch {
	case err != nil:
		return err
	case status == Stopped:
		return errStopped
	case status == Creating:
		return &StatusError{"cannot exec in a container that is being created", ErrNotRunning}
	case status == Paused && !ignorePaused:
		return &StatusError{"cannot exec in a paused container (use --ignore-paused to override)", ErrPaused}
	}
	return nil
}

// run is the order of events.
func (e *execution) run() error {
	return inOrder(e.runtime.Trace, e, []phase[*execution]{
		{"opening files for the stage", (*execution).openFiles},
		{"starting the stage", (*execution).startAnyhow},
		{"answering the stage", (*execution).converse},
		{"entering the resctrl group", (*execution).joinRdt},
		{"sending the pidfd", (*execution).sendPidfd},
		{"writing the pid file", (*execution).writePidFile},
		{"awaiting the program's execution", (*execution).finish},
	})
}

func (e *execution) configure() (err error) {
	if e.config, err = e.container.config(); err != nil {
		return err
	}
	if e.cgroup, err = e.container.manager(); err != nil {
		return err
	}
	return e.compileFilter(e.config)
}

func (e *execution) openInit() (err error) {
	e.init, err = e.container.openInit()
	if errors.Is(err, unix.ESRCH) {
		return e.container.checkExec(true)
	}
	return err
}

// openInit gives a pidfd of the container's first process.
func (c *Container) openInit() (*os.File, error) {
	pidfd, err := sys.PidfdOpenAt(c.state.Pid, c.state.PidStart)
	if err != nil {
		return nil, fmt.Errorf("opening process %d: %w", c.state.Pid, err)
	}
	return pidfd, nil
}

// chooseCgroup finds the process's place. It is created there where it can
// be, unless it is to be on certain CPUs before.
func (e *execution) chooseCgroup() (err error) {
	e.entry, err = e.cgroup.Enter(cgroup.Guest{Sub: e.options.Cgroups, Init: e.container.state.Pid})
	if err != nil {
		return err
	}
	if !e.options.IgnorePaused {
		if err := e.entry.CheckThawed(); err != nil {
			return fmt.Errorf("cannot exec in a container that stands still: %w", err)
		}
	}
	e.join = planJoin(e.cgroup.Joins())
	if a := e.process().ExecCPUAffinity; a != nil && a.Initial != "" {
		e.join = plan.JoinAttach
		return nil
	}
	if e.join == plan.JoinNone {
		return nil
	}
	if e.dir, err = e.entry.Directory(); err != nil {
		return err
	}
	switch {
	case e.join == plan.JoinSelf:
	case e.dir != nil:
		e.join = plan.JoinClone
	default:
		e.join = plan.JoinAttach
	}
	return nil
}

// process has what the container's gives it.
func (e *execution) process() *specs.Process {
	return plan.ExecProcess(e.options.Process, e.config)
}

func (e *execution) compilePlan() (err error) {
	facts := processFacts(e.process(), e.config.Linux)
	facts.SharesUserNS = hasUserNS(e.config.Linux) && sameNS("user", e.container.state.Pid)
	e.plan, err = plan.CompileExec(e.options.Process, e.config, facts, plan.Options{
		ID: e.container.ID(), Bundle: e.container.state.Bundle, Rootfs: e.container.state.Rootfs,
		NoNewKeyring: e.container.state.NoNewKeyring, PreserveFDs: e.outlets.preserve,
		Join: e.join, Entrances: planEntrances(e.entry.Entrances()), Seccomp: planFilter(e.filter), Clock: e.runtime.Trace != nil,
	})
	return err
}

func hasUserNS(l *specs.Linux) bool {
	if l == nil {
		return false
	}
	for _, ns := range l.Namespaces {
		if ns.Type == specs.UserNamespace {
			return true
		}
	}
	return false
}

// sameNS tells whether a process is in the namespace of this one, of a kind by
// the kernel's name.
func sameNS(kind string, pid int) bool {
	ours, err := os.Readlink("/proc/self/ns/" + kind)
	if err != nil {
		return false
	}
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	return err == nil && ours == theirs
}

func (e *execution) cgroupDir() (*os.File, error) { return e.dir, nil }

func (e *execution) openOwn(f *plan.File) (*os.File, error) {
	if f.Kind != plan.FilePidfd {
		return nil, unexpected("file " + f.String())
	}
	return duplicate(e.init)
}

func duplicate(pidfd *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(pidfd.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("duplicating a pidfd: %w", err)
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// act does what the syncs of an execution ask for.
func (e *execution) act(sync string) error {
	if sync != plan.SyncCgroup {
		return unexpected("sync " + sync)
	}
	e.tellAffinity()
	return e.entry.Attach(e.stage.Pid)
}

// tellAffinity logs on which CPUs the process is before it is in its cgroup.
// Compat(runc): its integration tests look for "nsexec" and ": affinity: ".
func (e *execution) tellAffinity() {
	var set unix.CPUSet
	if a := e.process().ExecCPUAffinity; a == nil || a.Initial == "" || unix.SchedGetaffinity(e.stage.Pid, &set) != nil {
		return
	}
	mask := ""
	for _, word := range set {
		mask = fmt.Sprintf("%016x", uint64(word)) + mask
	}
	e.runtime.debugf("nsexec: affinity: 0x%s", strings.TrimLeft(mask, "0"))
}

// observed: the container runs, and this is another of its processes.
func (e *execution) observed() (*specs.LinuxSeccomp, specs.State) {
	s := e.container.state
	return e.config.Linux.Seccomp, specs.State{
		Version: s.OCIVersion, ID: s.ID, Status: specs.StateRunning, Pid: s.Pid,
		Bundle: s.Bundle, Annotations: s.Annotations,
	}
}

// joinRdt puts the process into the container's resctrl group.
func (e *execution) joinRdt() error {
	group, err := e.container.rdtGroup()
	if err != nil || group == nil {
		return err
	}
	return group.Join(e.stage.Pid)
}

func (e *execution) writePidFile() error {
	if e.options.PidFile == "" {
		return nil
	}
	return writePidFile(e.options.PidFile, e.stage.Pid)
}

// finish lets the stage execute the program, and hears whether it could.
func (e *execution) finish() error {
	talk := &conversation{control: e.stage.Control, describe: describeIn(e.plan), warn: e.runtime.warn}
	e.runtime.debugf("setns_init: about to exec") // Compat(runc): as tellStage
	if err := talk.proceed(); err != nil {
		return err
	}
	return talk.awaitExec()
}

// undo ends the process.
func (e *execution) undo() {
	if e.stage != nil {
		sys.PidfdSignal(e.stage.Pidfd, unix.SIGKILL)
		sys.PidfdWait(e.stage.Pidfd)
		e.stage.Pidfd.Close()
	}
}

// close closes what only the execution needed.
func (e *execution) close() {
	if e.stage != nil {
		e.stage.Control.Close()
	}
	sys.CloseAll([]*os.File{e.init, e.dir})
	if e.cgroup != nil {
		e.release()
	}
}

// Process is what a process in the container begins with: the configuration's
// own, as a copy. Its arguments are the caller's to set.
func (c *Container) Process() (*specs.Process, error) {
	s, err := c.config()
	if err != nil {
		return nil, err
	}
	if s.Process == nil {
		return &specs.Process{Cwd: "/"}, nil
	}
	p := *s.Process
	return &p, nil
}

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/runtime/internal/sigpipe"
)

// exitExecFailure is davit exec's exit status when davit itself fails, so
// that it is not taken for the command's.
// Compat(runc)
const exitExecFailure = 255

// executing has the flags of davit exec.
type executing struct {
	processFlags
	consoleSocket string
	pidfdSocket   string
	pidFile       string
	detach        bool
	preserveFDs   int
	cgroups       []string
	ignorePaused  bool
}

// execCommand is davit exec.
func (p *program) execCommand() *cobra.Command {
	var e executing
	cmd := &cobra.Command{
		Use:   "exec <container-id> <command> [arguments]  |  exec --process FILE <container-id>",
		Short: "execute one more process in a container",
		Long: `Executes a command in a container that is created or runs, as one more process of
it: in its namespaces and its cgroup, with the user, environment, capabilities
and limits of its own process unless they are given. davit passes on the signals
that it gets and ends with the command's exit status, or with 255 if davit itself
fails.

    # davit exec ubuntu01 ps`,
		Args: p.atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e.changed = cmd.Flags().Changed
			if err := p.exec(args[0], args[1:], &e); err != nil {
				return failedExec(err)
			}
			return nil
		},
	}
	cmd.Flags().SetInterspersed(false)
	e.register(cmd)
	return cmd
}

// register declares the flags.
func (e *executing) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.SortFlags = false
	e.processFlags.register(fs)
	fs.BoolVarP(&e.detach, "detach", "d", false, "do not wait for the command's end")
	fs.StringVar(&e.pidFile, "pid-file", "", "write the pid of the process to `FILE`")
	fs.StringVar(&e.consoleSocket, "console-socket", "", "send the master of the terminal to the unix `SOCKET`")
	fs.StringVar(&e.pidfdSocket, "pidfd-socket", "", "send a pidfd of the process to the unix `SOCKET`")
	fs.IntVar(&e.preserveFDs, "preserve-fds", 0, "pass `N` more descriptors to the command, after standard input, output and error")
	fs.StringArrayVar(&e.cgroups, "cgroup", nil, "run the process in the cgroup `[CONTROLLER[,CONTROLLER]:]PATH` below the container's; / is the container's own")
	fs.BoolVar(&e.ignorePaused, "ignore-paused", false, "enter a paused container; the command runs when that is resumed")
}

// execFailure is a failure of davit exec itself.
type execFailure struct{ err error }

// failedExec leaves a command's status as it is.
func failedExec(err error) error {
	var status exitStatus
	if errors.As(err, &status) {
		return err
	}
	return &execFailure{err}
}

// Error begins as runc's does, unless the command is at fault.
func (e *execFailure) Error() string {
	if programFailed(e.err) {
		return e.err.Error()
	}
	return "exec failed: " + e.err.Error()
}

// Unwrap is the cause.
func (e *execFailure) Unwrap() error { return e.err }

// exec executes a command in a container.
func (p *program) exec(id string, args []string, e *executing) error {
	libcontainer.SlowWatcher()
	runtime.GOMAXPROCS(1) // nothing here runs side by side: a second thread that looks for work takes a tenth of the time
	rt, err := p.runtime()
	if err != nil {
		return err
	}
	container, err := rt.Load(id)
	if err != nil {
		return err
	}
	defer container.Close()
	options, err := e.options(container, args)
	if err != nil {
		return err
	}
	if err := p.checkTerminal(e.attachment(), options.Process, e.consoleSocket); err != nil {
		return err
	}
	if e.detach {
		return p.execDetached(container, options)
	}
	return p.execAttended(container, options)
}

// options are the options of libcontainer that the flags stand for.
func (e *executing) options(c *libcontainer.Container, args []string) (libcontainer.ExecOptions, error) {
	o := libcontainer.ExecOptions{
		Stdio:         [3]*os.File{os.Stdin, os.Stdout, os.Stderr},
		ConsoleSocket: e.consoleSocket,
		PidFile:       e.pidFile,
		PidfdSocket:   e.pidfdSocket,
		PreserveFDs:   e.preserveFDs,
		IgnorePaused:  e.ignorePaused,
	}
	var err error
	if o.Process, err = e.process(c, args); err != nil {
		return o, err
	}
	if o.Cgroups, err = parseSubCgroups(e.cgroups); err != nil {
		return o, err
	}
	if e.preserveFDs < 0 {
		return o, fmt.Errorf("--preserve-fds is negative: %d", e.preserveFDs)
	}
	return o, checkInherited(e.preserveFDs)
}

// attachment tells whether davit stays with the command.
func (e *executing) attachment() attachment {
	if e.detach {
		return detached
	}
	return attached
}

// execDetached leaves the process to whoever adopts it.
func (p *program) execDetached(c *libcontainer.Container, o libcontainer.ExecOptions) error {
	process, err := c.Exec(o)
	if err != nil {
		return err
	}
	p.log.debugf("process %d runs in container %s", process.Pid(), c.ID())
	return process.Close()
}

// execAttended ends with the command's status.
func (p *program) execAttended(c *libcontainer.Container, o libcontainer.ExecOptions) error {
	signals, err := sigpipe.Catch()
	if err != nil {
		return err
	}
	var t *terminal
	if o.Process.Terminal {
		t = newTerminal()
		o.Console = t.attach
	}
	defer t.close()
	process, err := c.Exec(o)
	if err != nil {
		return err
	}
	defer process.Close()
	p.log.debugf("process %d runs in container %s", process.Pid(), c.ID())
	if err := relay(signals, process, t, p.log); err != nil {
		return err
	}
	exit, err := process.Wait()
	if err != nil {
		return fmt.Errorf("waiting for process %d: %w", process.Pid(), err)
	}
	t.close()
	return exitStatus(exit.Code())
}

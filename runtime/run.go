package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/runtime/internal/sigpipe"
)

// running has the flags of davit run.
type running struct {
	creation
	detach      bool
	keep        bool
	noSubreaper bool
}

// runCommand is davit run.
func (p *program) runCommand() *cobra.Command {
	var r running
	cmd := &cobra.Command{
		Use:   "run <container-id>",
		Short: "create and start a container, and wait for its end",
		Long: `Creates a container from a bundle and starts its program. Then it passes on the
signals that it gets, waits for the program, deletes the container and ends with
the program's exit status, or with 128 and the number of the signal that killed
it. With --detach it ends when the program runs.

See "davit spec --help" on how to get a config.json.`,
		Args: p.exactly(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.runContainer(args[0], &r) },
	}
	r.register(cmd.Flags())
	cmd.Flags().BoolVarP(&r.detach, "detach", "d", false, "do not wait for the program's end")
	cmd.Flags().BoolVar(&r.keep, "keep", false, "do not delete the container after the program's end")
	cmd.Flags().BoolVar(&r.noSubreaper, "no-subreaper", false, "do not adopt the processes that the container's leave behind")
	return cmd
}

// runContainer creates and starts a container, and sees it through to its end
// unless it is detached.
func (p *program) runContainer(id string, r *running) error {
	rt, bundle, options, err := p.prepare(id, &r.creation)
	if err != nil {
		return err
	}
	if err := p.checkTerminal(r.attachment(), bundle.Spec.Process, r.consoleSocket); err != nil {
		return err
	}
	l := &launch{program: p, running: r, rt: rt, id: id, bundle: bundle, options: options}
	l.begin = l.start
	if r.detach {
		return l.detached()
	}
	return l.foreground()
}

// attachment tells whether davit stays with the program.
func (r *running) attachment() attachment {
	if r.detach {
		return detached
	}
	return attached
}

// launch is one davit run under way.
type launch struct {
	*program
	*running
	rt      *libcontainer.Runtime
	id      string
	bundle  *libcontainer.Bundle
	options libcontainer.CreateOptions
	proxy   *notifyProxy
	begin   func() (*libcontainer.Container, error) // makes the program run
	console func(master *os.File) error             // takes the container's terminal; nil for none
}

// detached starts the container, and leaves it once it has said that it is
// ready, where anybody wants to know.
func (l *launch) detached() error {
	container, err := l.begin()
	if err != nil {
		return err
	}
	defer l.proxy.close()
	return l.proxy.relay(container.Pid(), container.Pid())
}

// foreground starts the container and ends with its status.
func (l *launch) foreground() error {
	if !l.noSubreaper {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			l.log.warn(fmt.Sprintf("becoming a subreaper: %v", err))
		}
	}
	signals, err := sigpipe.Catch()
	if err != nil {
		return err
	}
	status, err := l.attended(signals)
	if err != nil {
		return err
	}
	return exitStatus(status)
}

// attended runs the container on the caller's terminal, if it wants one, and
// gives its status once its output is written and it is deleted.
func (l *launch) attended(signals *sigpipe.Pipe) (int, error) {
	terminal := l.terminal()
	defer terminal.close()
	container, err := l.begin()
	if err != nil {
		return 0, err
	}
	defer l.proxy.close()
	l.announce()
	span := l.rt.Trace.Start("waiting for the program's end")
	err = relay(signals, container, terminal, l.log)
	span.End(err)
	if err != nil {
		return 0, err
	}
	exit, err := container.Wait()
	if err != nil {
		return 0, fmt.Errorf("waiting for container %s: %w", l.id, err)
	}
	terminal.close()
	l.log.debugf("container %s has ended with status %d", l.id, exit.Code())
	if hint := container.Diagnose(exit); hint != "" {
		l.log.warn(hint)
	}
	l.clear(container)
	return exit.Code(), nil
}

// terminal is the caller's terminal, joined to the container's when it has
// one; nil otherwise.
func (l *launch) terminal() *terminal {
	if !wantsTerminal(l.bundle.Spec.Process) {
		return nil
	}
	t := newTerminal()
	l.console = t.attach
	return t
}

// start creates the container and starts its program. A container that does
// not start is removed.
func (l *launch) start() (*libcontainer.Container, error) {
	l.logPlan(l.rt, l.id, l.bundle, l.options)
	l.options.Console = l.console
	container, err := l.rt.Create(l.id, l.bundle, l.options)
	if err != nil {
		return nil, err
	}
	if err := l.startCreated(container); err != nil {
		l.clear(container)
		return nil, err
	}
	l.log.debugf("container %s runs, pid %d", l.id, container.Pid())
	return container, nil
}

// startCreated starts the program of a container that was just created.
func (l *launch) startCreated(container *libcontainer.Container) (err error) {
	l.proxy, err = listenNotify(os.Getenv("NOTIFY_SOCKET"), l.options.NotifySocket)
	if err != nil {
		return err
	}
	if err = container.Start(); err != nil {
		l.proxy.close()
	}
	return err
}

// announce tells the service manager, when the program is ready, that it is
// davit who stays in front of it.
func (l *launch) announce() {
	if l.proxy == nil {
		return
	}
	go func() {
		if err := l.proxy.relay(os.Getpid(), os.Getpid()); err != nil {
			l.log.warn(err.Error())
		}
	}()
}

// clear deletes a container whose end is known, unless it is to be kept.
func (l *launch) clear(container *libcontainer.Container) {
	if l.keep {
		return
	}
	if err := container.Destroy(); err != nil {
		l.log.warn(err.Error())
	}
}

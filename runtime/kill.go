package main

import (
	"errors"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer"
)

// killing has the flags of davit kill.
type killing struct {
	all   bool
	regex bool
}

// killCommand is davit kill.
func (p *program) killCommand() *cobra.Command {
	var k killing
	cmd := &cobra.Command{
		Use:   "kill <container-id> [signal]",
		Short: "send a signal to the container's first process",
		Long: `Sends a signal, SIGTERM unless one is given, to the container's first process.
The signal is a number or a name, in capitals or not, with or without SIG: 9,
KILL, sigkill; RTMIN+3 is a real-time signal. KILL reaches every process of the
container, also where it shares its pid namespace.

    # davit kill ubuntu01 KILL`,
		Args: p.between(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			return p.kill(args, k)
		},
	}
	cmd.Flags().BoolVarP(&k.all, "all", "a", false, "do not fail when the container does not run")
	_ = cmd.Flags().MarkHidden("all") // Compat(containerd): passes it; obsolete otherwise
	cmd.Flags().BoolVarP(&k.regex, "regex", "r", false, "the id is a regular expression: signal every running container that it matches")
	return cmd
}

// kill sends the signal that args name.
func (p *program) kill(args []string, k killing) error {
	sig := unix.SIGTERM
	if len(args) > 1 && args[1] != "" {
		var err error
		if sig, err = parseSignal(args[1]); err != nil {
			return err
		}
	}
	if k.regex {
		return p.eachMatching(args[0], func(rt *libcontainer.Runtime, id string) error {
			return unlessStopped(signalContainer(rt, id, sig))
		})
	}
	rt, err := p.runtime()
	if err != nil {
		return err
	}
	err = signalContainer(rt, args[0], sig)
	if k.all {
		return unlessStopped(err)
	}
	return err
}

// signalContainer sends a signal to one container.
func signalContainer(rt *libcontainer.Runtime, id string, sig unix.Signal) error {
	container, err := rt.Load(id)
	if err != nil {
		return err
	}
	defer container.Close()
	return container.Signal(sig)
}

// unlessStopped forgives that there was nothing to signal.
func unlessStopped(err error) error {
	if errors.Is(err, libcontainer.ErrNotRunning) {
		return nil
	}
	return err
}

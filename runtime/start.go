package main

import (
	"os"

	"github.com/spf13/cobra"
)

// startCommand is davit start.
func (p *program) startCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "start <container-id>",
		Short: "start the program of a created container",
		Long: `Starts the program of a container that davit create has made. It ends when the
program runs, or fails when it cannot be executed. With $NOTIFY_SOCKET it also
waits until the program is ready, and tells the service manager.`,
		Args: p.exactly(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.start(args[0]) },
	}
}

// start starts the program of a created container.
func (p *program) start(id string) error {
	rt, err := p.runtime()
	if err != nil {
		return err
	}
	container, err := rt.Load(id)
	if err != nil {
		return err
	}
	proxy, err := listenNotify(os.Getenv("NOTIFY_SOCKET"), notifyPath(rt.Root, id))
	if err != nil {
		return err
	}
	defer proxy.close()
	if err := container.Start(); err != nil {
		return err
	}
	p.log.debugf("container %s runs, pid %d", id, container.Pid())
	return proxy.relay(container.Pid(), container.Pid())
}

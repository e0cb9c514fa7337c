package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/libcontainer"
)

// createCommand is davit create.
func (p *program) createCommand() *cobra.Command {
	var c creation
	cmd := &cobra.Command{
		Use:   "create <container-id>",
		Short: "create a container",
		Long: `Creates a container from a bundle: a directory with a root file system and the
specification of its program in config.json. All is made ready, and the program
waits for davit start. Its standard input, output and error are davit's own; a
terminal is handed over through --console-socket.

See "davit spec --help" on how to get a config.json.`,
		Args: p.exactly(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.create(args[0], &c) },
	}
	c.register(cmd.Flags())
	return cmd
}

// create makes a container that waits for start.
func (p *program) create(id string, c *creation) error {
	rt, bundle, options, err := p.prepare(id, c)
	if err != nil {
		return err
	}
	if err := p.checkTerminal(detached, bundle.Spec.Process, c.consoleSocket); err != nil {
		return err
	}
	options.StartLater = true
	p.logPlan(rt, id, bundle, options)
	container, err := rt.Create(id, bundle, options)
	if err != nil {
		return err
	}
	p.log.debugf("container %s is created, pid %d", id, container.Pid())
	return nil
}

// prepare reads what the creation of a container depends on.
func (p *program) prepare(id string, c *creation) (*libcontainer.Runtime, *libcontainer.Bundle, libcontainer.CreateOptions, error) {
	libcontainer.SlowWatcher()
	var none libcontainer.CreateOptions
	rt, err := p.runtime()
	if err != nil {
		return nil, nil, none, err
	}
	span := rt.Trace.Start("reading the bundle")
	bundle, err := c.load()
	span.End(err)
	if err != nil {
		return nil, nil, none, err
	}
	options, err := c.options()
	if err != nil {
		return nil, nil, none, err
	}
	if os.Getenv("NOTIFY_SOCKET") != "" {
		options.NotifySocket = notifyPath(rt.Root, id)
	}
	return rt, bundle, options, p.prepareRoot()
}

// logPlan logs what is going to be done: a plan's titles, but not its values,
// among which is the program's environment.
func (p *program) logPlan(rt *libcontainer.Runtime, id string, b *libcontainer.Bundle, o libcontainer.CreateOptions) {
	if !p.log.debugging() {
		return
	}
	plan, err := rt.Plan(id, b, o)
	if err != nil {
		return // creating fails in the same way, and says so
	}
	for line := range strings.Lines(plan.String()) {
		if title, ok := strings.CutPrefix(line, "# "); ok {
			p.log.debugf("%s", strings.TrimSpace(title))
		}
	}
}

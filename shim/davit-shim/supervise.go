package main

import (
	"context"
	"errors"
	"os"

	"github.com/davit-containers/davit/shim/assembly"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/links"
	"github.com/davit-containers/davit/shim/supervise"
)

// isSupervisor tells whether this program is to be the supervisor of a container.
// It is looked at before there is a program with commands: a supervisor is there
// for as long as its container, and needs none of them.
func isSupervisor(args []string) bool {
	return len(args) >= 2 && args[0] == supervise.Command
}

// beSupervisor is the supervisor of the container whose directory is given.
func beSupervisor(args []string) int {
	awaited := len(args) > 2 && args[2] == supervise.Awaited
	h := &hosting{}
	if supervise.Serve(args[1], awaited, supervise.Host{Prepare: h.prepare, Attach: h.attach, Detach: assembly.Ended, Remove: h.remove}) != nil {
		return exitFailure // the container's own log of its supervisor says why
	}
	return 0
}

// hosting is what a supervisor does for its container outside of package supervise.
type hosting struct {
	joined *os.File // the network namespace of another container, until it is joined
}

// prepare is before each start.
func (h *hosting) prepare(ctx context.Context, c *container.Container) error {
	h.leave()
	var err error
	if h.joined, err = links.Before(c); err != nil {
		return err
	}
	if err = assembly.Prepare(ctx, c); err != nil {
		h.leave()
	}
	return err
}

// leave closes what the container has joined by now.
func (h *hosting) leave() {
	if h.joined != nil {
		h.joined.Close()
		h.joined = nil
	}
}

// attach is when the container was created.
func (h *hosting) attach(ctx context.Context, c *container.Container, pid int) error {
	h.leave()
	return links.Attach(ctx, c, pid)
}

// remove is the end of a container that was to be removed. A removal that another
// supervisor had begun goes on.
func (h *hosting) remove(ctx context.Context, c *container.Container) error {
	l, err := c.Lock()
	if errors.Is(err, container.ErrNotExist) {
		_, err := assembly.Sweep(ctx, c.Store())
		return err
	}
	if err != nil {
		return err
	}
	if err := assembly.Finish(ctx, l, assembly.RemoveVolumes); err != nil {
		return err
	}
	note(c, "destroy", nil)
	return nil
}

package main

import (
	"context"
	"errors"

	"github.com/davit-containers/davit/bundle/rootfs"
	"github.com/davit-containers/davit/shim/bundledir"
	"github.com/davit-containers/davit/shim/container"
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
	if supervise.Serve(args[1], awaited, supervise.Host{Prepare: mountContainer}) != nil {
		return exitFailure // the container's own log of its supervisor says why
	}
	return 0
}

// mountContainer mounts a container's root file system, unless its maker has left
// it mounted.
func mountContainer(ctx context.Context, c *container.Container) error {
	b, err := bundledir.Open(c.Bundle())
	if err == nil {
		err = b.Mount(ctx)
	}
	if errors.Is(err, rootfs.ErrMounted) {
		return nil
	}
	return err
}

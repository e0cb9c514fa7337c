package assembly

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/libcontainer/cgroup"
	"github.com/davit-containers/davit/shim/bundledir"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/engine"
	"github.com/davit-containers/davit/shim/links"
)

// Anonymous says what becomes of the volumes that nobody named.
type Anonymous bool

// The two.
const (
	KeepVolumes   Anonymous = false
	RemoveVolumes Anonymous = true
)

// Prepare is before each start: the namespaces of other containers are found, and, if
// nothing fails, the root file system is mounted.
func Prepare(ctx context.Context, c *container.Container) error {
	b, err := bundledir.Open(c.Bundle())
	if err != nil {
		return err
	}
	if err := errors.Join(joinNow(c), mountShm(c)); err != nil {
		return err
	}
	if err := b.Remount(ctx); err != nil {
		return fmt.Errorf("mounting the root file system: %w", err)
	}
	return nil
}

// Ended is after each end of the container's program, whose cgroup is gone: the last one
// takes the default parent away.
func Ended(ctx context.Context, c *container.Container) error {
	return errors.Join(links.Detach(ctx, c), unmountShm(c), cgroup.RemoveEmpty(cgroupParent))
}

// Rest is after the end of a container, or its making: nothing of it is mounted.
func Rest(c *container.Container) error {
	b, err := bundledir.Open(c.Bundle())
	if err != nil {
		return err
	}
	return b.Unmount()
}

// Remove removes a container that does not run, whole or not, with what a killed
// supervisor left of it, and unlocks it. What fails leaves it hidden, and is tried
// again by Sweep.
//
// Errors: [container.ErrSupervised] where it runs.
func Remove(ctx context.Context, l *container.Locked, anonymous Anonymous) error {
	defer l.Unlock()
	if l.Supervised() {
		return fmt.Errorf("removing container %s: %w", l.Config.ID, container.ErrSupervised)
	}
	return Finish(ctx, l, anonymous)
}

// Finish is Remove for the container's own supervisor, when the container has
// ended.
func Finish(ctx context.Context, l *container.Locked, anonymous Anonymous) error {
	defer l.Unlock()
	err := l.Hide()
	if err == nil {
		err = errors.Join(CleanUp(ctx, l.Container), removeBundle(l.Container))
	}
	if err == nil {
		err = links.Release(l.Container, bool(anonymous))
	}
	if err == nil {
		return l.Remove()
	}
	return fmt.Errorf("removing container %s: %w", l.Config.ID, err)
}

// CleanUp removes what a supervisor that was killed left: processes, cgroup,
// mounts, the network. Where nothing is left it does nothing.
func CleanUp(ctx context.Context, c *container.Container) error {
	return errors.Join(discard(c), Ended(ctx, c))
}

// discard has the runtime forget the container, if it knows it: the engine's
// journal is there then.
func discard(c *container.Container) error {
	if _, err := os.Lstat(filepath.Join(c.Bundle(), engine.JournalName)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, _, err := engine.CleanUp("", c.Config.ID, c.Bundle(), "", func(string) {})
	return err
}

// removeBundle removes the bundle, if it was begun.
func removeBundle(c *container.Container) error {
	b, err := bundledir.Open(c.Bundle())
	if errors.Is(err, bundledir.ErrNotBundle) {
		return nil
	}
	if err != nil {
		return err
	}
	s, err := store.Open(b.Store)
	if err != nil {
		return err
	}
	return b.Remove(s)
}

// Sweep removes what killed processes left of containers that they were making or
// removing, and returns their configurations. Those that were being made lose
// their anonymous volumes.
func Sweep(ctx context.Context, s *container.Store) (gone []container.Config, err error) {
	left, err := s.Leftovers()
	errs := []error{err}
	for _, l := range left {
		err := Remove(ctx, l, RemoveVolumes)
		if err == nil {
			gone = append(gone, l.Config)
		}
		errs = append(errs, err)
	}
	return gone, errors.Join(errs...)
}

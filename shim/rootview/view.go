package rootview

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/treecopy"
)

// View is a container's root.
type View struct {
	// Root is the directory, as a handle: nothing of it but what is below is reached
	// by openat2(2) with RESOLVE_IN_ROOT.
	Root *os.File
	// UIDs and GIDs are who the container's users are. Where they are none, there is no
	// difference.
	UIDs, GIDs treecopy.IDs

	release []func()
}

// Open opens a container's root. One that does not run cannot be started until the
// view is closed.
func Open(ctx context.Context, c *container.Container) (*View, error) {
	v, err := ofRunning(c)
	if v != nil || err != nil {
		return v, err
	}
	l, err := c.Lock()
	if err != nil {
		return nil, err
	}
	v, err = ofRunning(c)
	if v != nil || err != nil {
		l.Unlock()
		return v, err
	}
	if v, err = assemble(ctx, c); err != nil {
		l.Unlock()
		return nil, fmt.Errorf("opening the files of container %s: %w", c.Config.Name, err)
	}
	v.release = append(v.release, l.Unlock)
	return v, nil
}

// Place is the view for copying from and to; what is copied there is the
// container's root's.
func (v *View) Place() treecopy.Place {
	return treecopy.Place{
		Root: v.Root, Confined: true, UIDs: v.UIDs, GIDs: v.GIDs, Owner: &treecopy.Owner{UID: v.UIDs.Out(0), GID: v.GIDs.Out(0)},
	}
}

// Close lets the container go.
func (v *View) Close() {
	v.Root.Close()
	for _, f := range v.release {
		f()
	}
}

// ofRunning is nothing where the container does not run.
func ofRunning(c *container.Container) (*View, error) {
	before, err := c.State()
	if err != nil || before.Pid == 0 || before.Status != container.Running && before.Status != container.Paused {
		return nil, err
	}
	proc := fmt.Sprintf("/proc/%d/", before.Pid)
	root, err := os.OpenFile(proc+"root", unix.O_PATH|unix.O_DIRECTORY, 0)
	v := &View{Root: root}
	if err == nil {
		v.UIDs, err = readMap(proc + "uid_map")
	}
	if err == nil {
		v.GIDs, err = readMap(proc + "gid_map")
	}
	// The number may have become another process's by the time that its root was open.
	after, stateErr := c.State()
	if stateErr == nil && err == nil && after.Pid == before.Pid {
		return v, nil
	}
	if root != nil {
		root.Close()
	}
	if stateErr == nil && after.Pid == before.Pid {
		return nil, fmt.Errorf("opening the root of container %s: %w", c.Config.Name, err)
	}
	return nil, stateErr
}

// readMap reads a map of ids; the one of everybody to himself is none.
func readMap(file string) (treecopy.IDs, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all treecopy.IDs
	for line := range strings.Lines(string(data)) {
		var r treecopy.Range
		if _, err := fmt.Sscan(line, &r.Inside, &r.Outside, &r.Count); err != nil {
			return nil, errors.Join(fmt.Errorf("reading %s", file), err)
		}
		all = append(all, r)
	}
	if len(all) == 1 && all[0].Inside == all[0].Outside {
		return nil, nil
	}
	return all, nil
}

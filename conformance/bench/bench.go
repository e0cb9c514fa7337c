package main

import (
	"fmt"
	"path/filepath"

	"github.com/davit-containers/davit/conformance/internal/bundle"
	"github.com/davit-containers/davit/conformance/internal/view"
)

// bench is what the scenarios of one view share: two bundles, a place for the
// runtimes' state, and the launcher.
type bench struct {
	*launcher
	dir  string // on a tmpfs
	view view.View
}

// newBench makes the bundles below dir.
func newBench(dir string, v view.View) (*bench, error) {
	b := &bench{dir: dir, view: v}
	sources := filepath.Join(dir, "sources")
	err := bundle.Write(b.bundle("default"), bundle.Default())
	if err == nil {
		err = bundle.Write(b.bundle("lasting"), bundle.Lasting())
	}
	if err == nil {
		err = bundle.Write(b.bundle("full"), bundle.Engine(sources))
	}
	if err == nil {
		err = bundle.WriteSources(sources)
	}
	if err != nil {
		return nil, fmt.Errorf("making the bundles: %w", err)
	}
	b.launcher, err = newLauncher(dir)
	return b, err
}

// bundle is the folder of a bundle.
func (b *bench) bundle(name string) string { return filepath.Join(b.dir, "bundle-"+name) }

// command is a command line of a runtime, whose state is kept apart from that
// of other runtimes and of the machine.
func (b *bench) command(p peer, args ...string) []string {
	return append([]string{p.path, "--root", filepath.Join(b.dir, "state-"+p.name)}, args...)
}

// remove takes a container away that may or may not exist.
func (b *bench) remove(p peer, id string) {
	_, _, _ = b.run(b.command(p, "delete", "--force", id))
	drain()
}

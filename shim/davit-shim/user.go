package main

import (
	"fmt"
	"os"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/bundledir"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/rootless"
)

// exitStatus is that of the program that went on in a user namespace. What was to
// be said it has said itself.
type exitStatus int

// Error exists so that a command can return a status.
func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// enter has a user who is not root go on as root of a user namespace: layers have
// files of several users. Help and completion need none.
func (p *program) enter(cmd *cobra.Command) error {
	if !cmd.HasParent() || cmd.Name() == "help" || strings.HasPrefix(cmd.Name(), "__") {
		return nil
	}
	p.inside = rootless.Again()
	root, err := p.globals.directory()
	if err != nil {
		return err
	}
	status, done, err := rootless.Enter(container.Notes(root))
	if err == nil && done {
		err = exitStatus(status)
	}
	return err
}

// asUser gives a bundle that a user makes the user namespace that this program is
// in: the files belong to its users.
func (p *program) asUser(w *bundledir.Wanted) error {
	if !p.inside {
		return nil
	}
	if len(w.Options.UIDMappings) > 0 {
		return fmt.Errorf("--uidmap and --gidmap need root: the bundle has the user's own user namespace")
	}
	mapping, err := rootless.Current()
	if err != nil {
		return err
	}
	w.Inside, w.OneOwner, w.Options.Rootless = true, mapping.OneID, true
	if w.Options.UIDMappings, err = mappingsIn("/proc/self/uid_map"); err != nil {
		return err
	}
	w.Options.GIDMappings, err = mappingsIn("/proc/self/gid_map")
	return err
}

// mappingsIn are the mappings in a file of proc.
func mappingsIn(file string) ([]specs.LinuxIDMapping, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []specs.LinuxIDMapping
	for line := range strings.Lines(string(data)) {
		var m specs.LinuxIDMapping
		if _, err := fmt.Sscan(line, &m.ContainerID, &m.HostID, &m.Size); err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		all = append(all, m)
	}
	return all, nil
}

// Package intelrdt puts a container into a class of service of the resctrl file
// system, which limits its share of caches and of memory bandwidth, and into a
// monitoring group.
//
// It is not for finding out what the hardware can do, and mounts nothing.
//
// Spec: config-linux.md#configLinuxIntelRdt
package intelrdt

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// Group is a container's place in resctrl. As JSON it is what a runtime
// remembers, before anything is made.
type Group struct {
	// Root is where resctrl is mounted.
	Root string `json:"root"`
	// Clos is the directory of the class of service, Root itself for the
	// default class.
	Clos string `json:"clos"`
	// Mon is the directory of the monitoring group, empty if there is none.
	Mon string `json:"mon,omitempty"`
	// Owned tells that Clos goes with the container.
	Owned bool `json:"owned,omitempty"`
}

// Prepare finds the place that c asks for the container id, and changes
// nothing. root is where resctrl is mounted; an empty one is a
// sys.UnsupportedError. A class that exists and has other schemata than c is an
// error, and so is one that must exist and does not.
func Prepare(root, id string, c *specs.LinuxIntelRdt) (*Group, error) {
	if root == "" {
		return nil, &sys.UnsupportedError{
			Feature: "intelRdt",
			Why:     "resctrl is not mounted at /sys/fs/resctrl",
			Since:   "a CPU with RDT and CONFIG_X86_CPU_RESCTRL",
		}
	}
	g := &Group{Root: root, Clos: filepath.Join(root, id)}
	if c.ClosID != "" {
		g.Clos = filepath.Join(root, c.ClosID)
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	if c.EnableMonitoring {
		g.Mon = filepath.Join(g.Clos, "mon_groups", id)
	}
	if err := g.compare(c); err != nil {
		return nil, err
	}
	return g, nil
}

// Parse reads a Group that was written as JSON.
func Parse(data []byte) (*Group, error) {
	g := &Group{}
	if err := json.Unmarshal(data, g); err != nil {
		return nil, fmt.Errorf("reading the container's intelRdt group: %w", err)
	}
	return g, nil
}

// Apply makes what is missing of the group, writes c's schemata, and puts the
// process pid in; what it starts from then on is in as well. After an error,
// Remove removes what was made.
func (g *Group) Apply(c *specs.LinuxIntelRdt, pid int) error {
	made, err := makeDir(g.Clos)
	if err != nil {
		return g.failure("making the class "+g.Clos, err)
	}
	g.Owned = made && c.ClosID == ""
	if err := g.Set(c); err != nil {
		return err
	}
	if err := g.addTask(g.Clos, pid); err != nil || g.Mon == "" {
		return err
	}
	if _, err := makeDir(g.Mon); err != nil {
		return g.failure("making the monitoring group "+g.Mon, err)
	}
	return g.addTask(g.Mon, pid)
}

// Set writes c's schemata to the class, and nothing if it has none.
func (g *Group) Set(c *specs.LinuxIntelRdt) error {
	lines := schemata(c)
	if len(lines) == 0 {
		return nil
	}
	return g.SetSchemata(strings.Join(lines, "\n") + "\n")
}

// Schemata reads the class's schemata, as SetSchemata takes them.
func (g *Group) Schemata() (string, error) {
	text, err := os.ReadFile(filepath.Join(g.Clos, "schemata"))
	return string(text), g.failure("reading the schemata", err)
}

// SetSchemata writes lines such as "L3:0=7f0;1=01f" to the class.
func (g *Group) SetSchemata(text string) error {
	err := os.WriteFile(filepath.Join(g.Clos, "schemata"), []byte(text), 0o600)
	return g.failure("writing the schemata "+strconv.Quote(text), err)
}

// AllocatesCache tells whether resctrl, mounted at root, limits the third
// level of caches; "" is not mounted.
func AllocatesCache(root string) bool {
	return hasResource(root, "L3") || hasResource(root, "L3CODE")
}

// AllocatesBandwidth tells whether it limits memory bandwidth.
func AllocatesBandwidth(root string) bool { return hasResource(root, "MB") }

func hasResource(root, name string) bool {
	_, err := os.Stat(filepath.Join(root, "info", name))
	return root != "" && err == nil
}

// Remove removes the monitoring group, and the class if it goes with the
// container. What is gone already is no error.
func (g *Group) Remove() error {
	if g.Owned {
		return removeDir(g.Clos) // its monitoring groups go with it
	}
	if g.Mon != "" {
		return removeDir(g.Mon)
	}
	return nil
}

// check refuses what is no directory of a class: a path, or resctrl's own.
func (g *Group) check() error {
	name, err := filepath.Rel(g.Root, g.Clos)
	if err != nil || name == ".." || strings.Contains(name, "/") {
		return fmt.Errorf("intelRdt: %s is no directory of a class", g.Clos)
	}
	switch name {
	case "info", "mon_groups", "mon_data":
		return fmt.Errorf("intelRdt: %s is a directory of resctrl itself", g.Clos)
	}
	return nil
}

// compare holds c against a class that exists, and decides whether the class
// goes with the container.
func (g *Group) compare(c *specs.LinuxIntelRdt) error {
	_, err := os.Stat(g.Clos)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !missing:
		return fmt.Errorf("intelRdt: %w", err)
	case c.ClosID == "":
		g.Owned = missing
		return nil
	case !missing:
		return g.compareSchemata(c)
	case len(schemata(c)) == 0:
		return fmt.Errorf("intelRdt: class %s: %w [it must be made beforehand, or have a schema]", c.ClosID, unix.ENOENT)
	}
	return nil
}

func (g *Group) addTask(dir string, pid int) error {
	err := os.WriteFile(filepath.Join(dir, "tasks"), []byte(strconv.Itoa(pid)), 0o600)
	return g.failure("adding process "+strconv.Itoa(pid)+" to "+dir, err)
}

// failure adds what the kernel says about its last refusal.
func (g *Group) failure(doing string, err error) error {
	if err == nil {
		return nil
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	status, _ := os.ReadFile(filepath.Join(g.Root, "info", "last_cmd_status"))
	if text := strings.Join(strings.Fields(string(status)), " "); text != "ok" && text != "" {
		return fmt.Errorf("intelRdt: %s: %w [%s]", doing, err, text)
	}
	return fmt.Errorf("intelRdt: %s: %w", doing, err)
}

func makeDir(path string) (made bool, err error) {
	err = os.Mkdir(path, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

func removeDir(path string) error {
	err := unix.Rmdir(path)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	return fmt.Errorf("intelRdt: removing %s: %w", path, err)
}

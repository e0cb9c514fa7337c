package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/sys/userns"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer"
)

// globals are the flags that stand before the command.
type globals struct {
	debug         bool
	logPath       string
	logFormat     string
	logLevel      string
	root          string
	rootGiven     bool // --root was given: a missing directory is an error
	xdg           bool // root is in $XDG_RUNTIME_DIR
	systemdCgroup bool
	cgroupManager string
	rootless      string
	trace         string
	help, version bool
}

// flags is the set of global flags. It stops at the first argument that is
// not one, which is the command.
func (g *globals) flags(name string) *pflag.FlagSet {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	fs.SetInterspersed(false)
	fs.SortFlags = false
	fs.Usage = func() {}
	fs.BoolVar(&g.debug, "debug", false, "log what is done")
	fs.StringVar(&g.logPath, "log", "", "append the log to `FILE`, or send it to journald:ID or syslog:ID (default is standard error)")
	fs.StringVar(&g.logFormat, "log-format", "text", "the log's `FORMAT`: text or json")
	fs.StringVar(&g.logLevel, "log-level", "", "log messages from this `LEVEL` on: error, warning or debug")
	fs.StringVar(&g.root, "root", defaultRoot(os.Getenv), "keep the state of containers in `DIR`, best in a tmpfs")
	fs.BoolVar(&g.systemdCgroup, "systemd-cgroup", false, `let systemd make the cgroups; cgroupsPath is then "slice:prefix:name"`)
	fs.StringVar(&g.cgroupManager, "cgroup-manager", "", "the `DRIVER` that makes the cgroups: cgroupfs, systemd or disabled")
	fs.StringVar(&g.rootless, "rootless", "auto", "whether cgroups may be out of reach, `WHEN` is true, false or auto")
	fs.StringVar(&g.trace, "trace", "", "write how long each phase and step took to `FILE`, as JSON; in a directory, to a new file")
	fs.BoolVarP(&g.help, "help", "h", false, "show help")
	fs.BoolVarP(&g.version, "version", "v", false, "print the version")
	return fs
}

// check refuses values that no flag has, and makes the root absolute.
func (g *globals) check(fs *pflag.FlagSet) error {
	g.rootGiven = fs.Changed("root")
	g.xdg = !g.rootGiven && g.root != systemRoot
	for _, check := range [...]func() error{g.checkRoot, g.checkLog, g.checkCgroups} {
		if err := check(); err != nil {
			return err
		}
	}
	_, err := g.rootlessMode()
	return err
}

// checkRoot makes a given root absolute, so that it survives a change of
// directory, and refuses "/": deleting the container "etc" would not end well.
func (g *globals) checkRoot() error {
	if !g.rootGiven {
		return nil
	}
	root, err := filepath.Abs(g.root)
	if err != nil {
		return err
	}
	if root == "/" {
		return errors.New("Option --root argument should not be set to /") // Compat(runc): its text
	}
	g.root = root
	return nil
}

// checkLog checks the format and the level of the log.
func (g *globals) checkLog() error {
	switch g.logFormat {
	case "", "text", "json":
	default:
		return fmt.Errorf("invalid log-format: %s [it is text or json]", g.logFormat)
	}
	switch g.logLevel {
	case "", "error", "warning", "debug":
	default:
		return fmt.Errorf("invalid log-level: %s [it is error, warning or debug]", g.logLevel)
	}
	return nil
}

// checkCgroups checks the driver, which two flags may name.
func (g *globals) checkCgroups() error {
	switch libcontainer.CgroupDriver(g.cgroupManager) {
	case "", libcontainer.Cgroupfs, libcontainer.Systemd, libcontainer.CgroupDisabled:
	default:
		return fmt.Errorf("invalid cgroup-manager: %s [it is cgroupfs, systemd or disabled]", g.cgroupManager)
	}
	if g.systemdCgroup && g.cgroupManager != "" && g.cgroupManager != string(libcontainer.Systemd) {
		return fmt.Errorf("--systemd-cgroup contradicts --cgroup-manager %s", g.cgroupManager)
	}
	return nil
}

// cgroups is the driver that the flags choose.
func (g *globals) cgroups() libcontainer.CgroupDriver {
	switch {
	case g.systemdCgroup:
		return libcontainer.Systemd
	case g.cgroupManager != "":
		return libcontainer.CgroupDriver(g.cgroupManager)
	}
	return libcontainer.Cgroupfs
}

// rootlessMode is what --rootless says.
func (g *globals) rootlessMode() (libcontainer.Rootless, error) {
	if g.rootless == "" || strings.EqualFold(g.rootless, "auto") {
		return libcontainer.RootlessAuto, nil
	}
	yes, err := strconv.ParseBool(g.rootless)
	switch {
	case err != nil:
		return libcontainer.RootlessAuto, fmt.Errorf("invalid rootless: %s [it is true, false or auto]", g.rootless)
	case yes:
		return libcontainer.RootlessYes, nil
	}
	return libcontainer.RootlessNo, nil
}

// systemRoot is where the state of root's containers is.
const systemRoot = "/run/davit"

// defaultRoot is the directory of container states when none is given.
func defaultRoot(getenv func(string) string) string {
	dir := getenv("XDG_RUNTIME_DIR")
	if dir == "" || !honoursXDG(getenv) {
		return systemRoot
	}
	return filepath.Join(dir, "davit")
}

// honoursXDG tells whether $XDG_RUNTIME_DIR counts: not for the real root,
// and not for a root of a user namespace who still calls himself root.
// Compat(runc): podman unshare keeps $USER.
func honoursXDG(getenv func(string) string) bool {
	if os.Geteuid() != 0 {
		return true
	}
	return userns.RunningInUserNS() && getenv("USER") != "root"
}

// runtime is the libcontainer runtime that the global flags describe. Its
// warnings go to the log.
func (p *program) runtime() (*libcontainer.Runtime, error) {
	mode, err := p.globals.rootlessMode()
	if err != nil {
		return nil, err
	}
	return &libcontainer.Runtime{
		Root:     p.globals.root,
		Cgroups:  p.globals.cgroups(),
		Rootless: mode,
		Warn:     p.log.warn,
		Debug:    func(msg string) { p.log.debugf("%s", msg) },
		Trace:    p.tracing.recorder,
		HookEnv:  p.tracing.hookEnv,
	}, nil
}

// load finds a container of that runtime.
func (p *program) load(id string) (*libcontainer.Container, error) {
	rt, err := p.runtime()
	if err != nil {
		return nil, err
	}
	return rt.Load(id)
}

// checkSystemRoot tells a user whose environment names no other place what to do.
func checkSystemRoot() error {
	if os.Geteuid() == 0 || unix.Access(systemRoot, unix.W_OK) == nil {
		return nil
	}
	return fmt.Errorf("keeping state in %s: %w [set XDG_RUNTIME_DIR, or give --root]", systemRoot, unix.EACCES)
}

// prepareRoot makes the default root of a user who is not root. The sticky
// bit keeps it from being cleaned up while containers run.
// Source: XDG Base Directory Specification, $XDG_RUNTIME_DIR.
func (p *program) prepareRoot() error {
	if !p.globals.rootGiven && !p.globals.xdg {
		return checkSystemRoot()
	}
	if !p.globals.xdg {
		return nil
	}
	if err := os.MkdirAll(p.globals.root, 0o700); err != nil {
		return fmt.Errorf("%w [$XDG_RUNTIME_DIR must be writable]", err)
	}
	if err := os.Chmod(p.globals.root, 0o700|os.ModeSticky); err != nil {
		return fmt.Errorf("%w [$XDG_RUNTIME_DIR must belong to the user]", err)
	}
	return nil
}

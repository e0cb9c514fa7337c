package assembly

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/cgroup"
)

// Where cgroups are by default, and how systemd's scopes begin.
const (
	cgroupParent = "/davit-shim"
	systemSlice  = "system.slice"
	userSlice    = "user.slice" // of the user's own systemd
	scopePrefix  = "davit"
)

// Managers are who can make a container's cgroup.
func Managers() []string { return []string{string(cgroup.Systemd), string(cgroup.Cgroupfs)} }

// cgroup is where the container's cgroup is. A user's has one beside his own where
// he may make one, and else none, unless systemd makes it or he says where.
func (b *building) cgroup() error {
	parent, o := b.CgroupParent, &b.Options.Options
	if strings.ContainsRune(parent, ':') || strings.ContainsRune(parent, 0) {
		return fmt.Errorf("--cgroup-parent %q: it has a colon or a NUL byte", parent)
	}
	manager, err := b.Manager()
	if err != nil {
		return err
	}
	slice := strings.HasSuffix(parent, ".slice") && !strings.ContainsRune(parent, '/')
	switch {
	case slice && manager != cgroup.Systemd:
		return fmt.Errorf("--cgroup-parent %q: a slice needs systemd to manage the cgroups, and here it is %s", parent, manager)
	case manager == cgroup.Systemd && !slice && parent != "":
		return fmt.Errorf("--cgroup-parent %q: systemd manages the cgroups, and takes a slice, NAME.slice [or give --cgroup-manager cgroupfs, before the command]", parent)
	case manager == cgroup.Systemd:
		if parent == "" {
			parent = b.slice()
		}
		b.record().SystemdCgroup = true
		o.CgroupsPath = strings.Join([]string{parent, scopePrefix, b.Locked.Config.ID}, ":")
	case b.Inside && parent == "":
		return b.checkLimits()
	default:
		if parent == "" {
			parent = cgroupParent
		}
		o.CgroupsPath = path.Join("/", parent, b.Locked.Config.ID)
	}
	return nil
}

// slice is where systemd has containers by default.
func (b *building) slice() string {
	if b.Inside {
		return userSlice
	}
	return systemSlice
}

// Manager is who makes the cgroup: systemd by default where it manages cgroups of
// version 2, as it would remove what it does not know, and answers.
func (w *Wanted) Manager() (cgroup.Driver, error) {
	missing := w.systemdMissing()
	switch {
	case w.CgroupManager != "" && !slices.Contains(Managers(), w.CgroupManager):
		return "", fmt.Errorf("--cgroup-manager %q: it is systemd or cgroupfs", w.CgroupManager)
	case w.CgroupManager == string(cgroup.Systemd) && missing != "":
		return "", fmt.Errorf("--cgroup-manager systemd: %s", missing)
	case w.CgroupManager == string(cgroup.Systemd):
		return cgroup.Systemd, nil
	case w.CgroupManager == "" && missing == "" && w.Facts.Cgroup2:
		return cgroup.Systemd, nil
	}
	return cgroup.Cgroupfs, nil
}

// systemdMissing says why systemd cannot make cgroups; nothing where it can.
// Source: sd_booted(3), sd_bus_default_user(3).
func (w *Wanted) systemdMissing() string {
	if fi, err := os.Lstat("/run/systemd/system"); err != nil || !fi.IsDir() {
		return "it is not this machine's first process"
	}
	switch {
	case !w.Inside:
	case !w.Facts.Cgroup2:
		return "a user's makes cgroups of version 2 only"
	case !userBus(os.Getenv):
		return "this user's does not run [log in, or have it run always: loginctl enable-linger; XDG_RUNTIME_DIR has to be set]"
	}
	return ""
}

// userBus tells whether the environment leads to a user's own systemd.
func userBus(getenv func(string) string) bool {
	if getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	dir := getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "bus"))
	return err == nil
}

// checkLimits refuses early what a user's container without a cgroup cannot have.
func (b *building) checkLimits() error {
	r := b.Options.Resources
	_, err := cgroup.New(cgroup.Options{
		ID: b.Locked.Config.ID, Rootless: true, Spec: &specs.Spec{Linux: &specs.Linux{Resources: &r}},
	})
	denied := (*cgroup.DeniedError)(nil)
	if !errors.As(err, &denied) {
		return err
	}
	hint := "on cgroup v2 a user's systemd gives them"
	if b.Facts.Cgroup2 {
		hint = "log in so that a systemd of yours runs, and set XDG_RUNTIME_DIR, or have cgroups delegated: systemd-run --user --scope -p Delegate=yes"
	}
	return fmt.Errorf("limiting the container (%s): this user has no cgroup to limit [%s]", denied.Field, hint)
}

package assembly

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/programs"
)

// cgroupParent is where cgroups are by default, and how systemd's scopes begin.
const (
	cgroupParent = "/davit-shim"
	systemdSlice = "system.slice"
	scopePrefix  = "davit"
)

// cgroup is where the container's cgroup is: below systemd where it manages the
// cgroups of this machine, as it would remove what it does not know. A user without
// root has none but by his own wish.
func (b *building) cgroup() error {
	parent, o := b.CgroupParent, &b.Options.Options
	if strings.ContainsRune(parent, ':') || strings.ContainsRune(parent, 0) {
		return fmt.Errorf("--cgroup-parent %q: it has a colon or a NUL byte", parent)
	}
	slice := strings.HasSuffix(parent, ".slice") && !strings.ContainsRune(parent, '/')
	switch {
	case slice && !b.systemd():
		return fmt.Errorf("--cgroup-parent %q: a slice needs systemd, and cgroup v2", parent)
	case b.systemd() && !slice && parent != "":
		return fmt.Errorf("--cgroup-parent %q: systemd manages the cgroups, and takes a slice, NAME.slice", parent)
	case b.Inside && parent == "":
	case b.systemd():
		if parent == "" {
			parent = systemdSlice
		}
		b.record().SystemdCgroup = true
		o.CgroupsPath = strings.Join([]string{parent, scopePrefix, b.Locked.Config.ID}, ":")
	default:
		if parent == "" {
			parent = cgroupParent
		}
		o.CgroupsPath = path.Join("/", parent, b.Locked.Config.ID)
	}
	return nil
}

// systemd tells whether systemd manages this machine's cgroups.
// Source: sd_booted(3).
func (b *building) systemd() bool {
	fi, err := os.Lstat("/run/systemd/system")
	return b.Facts.Cgroup2 && err == nil && fi.IsDir()
}

// initPath is where a container has its init: in /dev, which is never the image's.
const initPath = "/dev/init"

// init gives the container an init: a file of its own, so that nobody who may
// write to it changes another's.
func (b *building) init() error {
	if !b.record().Init {
		return nil
	}
	file := filepath.Join(b.Dir(), "init")
	if err := os.WriteFile(file, programs.Init(), 0o755); err != nil {
		return fmt.Errorf("making the init: %w", err)
	}
	if err := os.Chmod(file, 0o755); err != nil {
		return err
	}
	b.Options.Mounts = append(b.Options.Mounts, bind(file, initPath, "ro", "nosuid", "nodev"))
	return nil
}

// short is an ID as people see it, and a container's host name by default.
func short(c *container.Container) string { return c.Config.ID[:12] }

package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/moby/sys/userns"
	"github.com/spf13/pflag"
)

// globals are the flags that stand before the command.
type globals struct {
	root          string
	cgroupManager string
}

func (g *globals) add(fs *pflag.FlagSet) {
	fs.StringVar(&g.root, "root", "", "keep images and containers in `DIR` (default is "+systemRoot+", or davit in the user's data directory)")
	fs.StringVar(&g.cgroupManager, "cgroup-manager", "", "have the cgroups of new containers made by `MANAGER`: systemd or cgroupfs (default is systemd on cgroup v2, where it runs)")
}

// systemRoot is where root's images are.
const systemRoot = "/var/lib/davit"

// directory is where images are kept.
func (g *globals) directory() (string, error) {
	if g.root != "" {
		return filepath.Abs(g.root)
	}
	if os.Geteuid() == 0 && !userns.RunningInUserNS() {
		return systemRoot, nil
	}
	return userRoot(os.Getenv)
}

// userRoot is where a user's images are.
// Source: XDG Base Directory Specification, $XDG_DATA_HOME.
func userRoot(getenv func(string) string) (string, error) {
	if dir := getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "davit"), nil
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local/share/davit"), nil
	}
	return "", errors.New("neither $XDG_DATA_HOME nor $HOME says where to keep images [give --root]")
}

package supervise

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/bundle/config"
	"github.com/davit-containers/davit/bundle/config/users"
	"github.com/davit-containers/davit/libcontainer/spec"
	"github.com/davit-containers/davit/shim/container"
)

// describe is a further process as the engine takes it: the container's own, with
// what is to be different.
func describe(c *container.Container, p *execProcess, terminal bool) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(c.Bundle(), "config.json"))
	if err != nil {
		return nil, err
	}
	bundle, err := spec.Decode(data)
	if err != nil {
		return nil, err
	}
	process := bundle.Process
	process.Args, process.Terminal, process.ConsoleSize = p.Args, terminal, nil
	process.Env = merged(process.Env, p.Env, terminal)
	if p.Dir != "" {
		process.Cwd = p.Dir
	}
	if p.User != "" {
		if err := become(c, process, p.User); err != nil {
			return nil, err
		}
	}
	if p.Privileged {
		if err := privileged(process); err != nil {
			return nil, err
		}
	}
	return json.Marshal(process)
}

// merged is an environment with changes. A terminal has a kind.
func merged(env, changes []string, terminal bool) []string {
	has := func(name string) int {
		return slices.IndexFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	}
	if terminal && has("TERM") < 0 {
		env = append(env, "TERM=xterm")
	}
	for _, change := range changes {
		name, _, sets := strings.Cut(change, "=")
		at := has(name)
		switch {
		case sets && at >= 0:
			env[at] = change
		case sets:
			env = append(env, change)
		case at >= 0:
			env = slices.Delete(env, at, at+1)
		}
	}
	return env
}

// become has the process run as a user whom the container knows.
func become(c *container.Container, process *specs.Process, user string) error {
	root, err := os.Open(filepath.Join(c.Bundle(), "rootfs"))
	if err != nil {
		return err
	}
	defer root.Close()
	id, err := users.Lookup(root, user)
	if err != nil {
		return err
	}
	process.User.UID, process.User.GID, process.User.AdditionalGids = id.UID, id.GID, id.Groups
	if denied, err := os.ReadFile("/proc/self/setgroups"); err == nil && strings.TrimSpace(string(denied)) == "deny" {
		process.User.AdditionalGids = nil // nobody may set groups here: user_namespaces(7)
	}
	home := slices.IndexFunc(process.Env, func(e string) bool { return strings.HasPrefix(e, "HOME=") })
	if home >= 0 && id.Home != "" {
		process.Env[home] = "HOME=" + id.Home
	}
	return nil
}

// privileged gives the process all capabilities.
func privileged(process *specs.Process) error {
	data, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return err
	}
	last, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return fmt.Errorf("reading the kernel's last capability: %w", err)
	}
	all := config.Capabilities(last)
	process.Capabilities = &specs.LinuxCapabilities{Bounding: all, Permitted: all, Effective: all}
	process.NoNewPrivileges = false
	return nil
}

package libcontainer

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// notifyDir is where the container sees the directory of its notify socket.
const notifyDir = "/run/notify"

// edit makes the bundle's configuration this creation's own before it is
// changed: the caller's stays as it is.
func (c *creation) edit() *specs.Spec {
	s := *c.bundle.Spec
	b := *c.bundle
	if s.Process != nil {
		p := *s.Process
		s.Process = &p
	}
	b.Spec = &s
	c.bundle = &b
	return &s
}

// addNotifySocket shows the container the directory of its notify socket, and
// says so in its environment.
// Source: sd_notify(3).
func (c *creation) addNotifySocket() error {
	socket := c.options.NotifySocket
	if socket == "" || c.bundle.Spec.Process == nil {
		return nil
	}
	s := c.edit()
	s.Mounts = append(s.Mounts[:len(s.Mounts):len(s.Mounts)], specs.Mount{
		Type: "bind", Source: filepath.Dir(socket), Destination: notifyDir,
		Options: []string{"bind", "nosuid", "noexec", "nodev", "ro"},
	})
	c.addEnv(s, "NOTIFY_SOCKET="+notifyDir+"/"+filepath.Base(socket))
	return nil
}

// makeNotifyDir makes that directory, in the container's own.
func (c *creation) makeNotifyDir() error {
	if c.options.NotifySocket == "" {
		return nil
	}
	dir := filepath.Dir(c.options.NotifySocket)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the notify socket's directory %s: %w", dir, pathError(err))
	}
	return os.Chmod(dir, 0o755)
}

// addListenFDs passes socket activation on: the program is its process 1.
// Source: sd_listen_fds(3).
func (c *creation) addListenFDs() error {
	if c.options.ListenFDs == 0 || c.bundle.Spec.Process == nil {
		return nil
	}
	s := c.edit()
	c.addEnv(s, "LISTEN_FDS="+strconv.Itoa(c.options.ListenFDs))
	c.addEnv(s, "LISTEN_PID=1")
	if names := os.Getenv("LISTEN_FDNAMES"); names != "" {
		c.addEnv(s, "LISTEN_FDNAMES="+names)
	}
	return nil
}

func (c *creation) addEnv(s *specs.Spec, variable string) {
	env := s.Process.Env
	s.Process.Env = append(env[:len(env):len(env)], variable)
}

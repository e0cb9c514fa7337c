package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/rootpath"
)

// killTimeout bounds the wait for a killed process, which only the kernel can delay.
const killTimeout = 10 * time.Second

// dyingTime is more than a killed process needs that may run.
const dyingTime = 100 * time.Millisecond

// ExitStatus is how a container's program ended.
type ExitStatus struct{ exit sys.Exit }

// Code is the exit code, or 128 and the number of the signal that ended it.
func (e ExitStatus) Code() int { return e.exit.Status() }

// Signal is the signal that ended it; 0 for none.
func (e ExitStatus) Signal() unix.Signal { return e.exit.Signal }

// Wait waits for the end of the container's program. Only the process that
// created the container can.
func (c *Container) Wait() (ExitStatus, error) {
	if c.pidfd == nil {
		return ExitStatus{}, fmt.Errorf("waiting for container %s: %w", c.ID(), unix.ECHILD)
	}
	exit, err := sys.PidfdWait(c.pidfd)
	return ExitStatus{exit}, err
}

// exitNotFound is what shells and dynamic loaders end with when something
// that a program needs is not there.
const exitNotFound = 127

// Diagnose says what the program may have lacked, where its exit status
// suggests so; "" where nothing is known. It looks at the root file system as
// it is on the host, without the container's mounts.
func (c *Container) Diagnose(exit ExitStatus) string {
	s, err := c.config()
	if err != nil || exit.Code() != exitNotFound || s.Process == nil || len(s.Process.Args) == 0 {
		return ""
	}
	root, err := os.OpenFile(c.state.Rootfs, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return ""
	}
	defer root.Close()
	program, err := rootpath.LookPath(root, s.Process.Args[0], env(s.Process.Env, "PATH"), rootpath.InRoot(s.Process.Cwd))
	if err != nil {
		return ""
	}
	hint, err := rootpath.Diagnose(root, program, env(s.Process.Env, "LD_LIBRARY_PATH"))
	if err != nil || hint == "" {
		return ""
	}
	return fmt.Sprintf("exec: %q: it ended with status %d [%s]", s.Process.Args[0], exit.Code(), hint)
}

func env(list []string, name string) (value string) {
	for _, e := range list {
		if v, found := strings.CutPrefix(e, name+"="); found {
			value = v
		}
	}
	return value
}

// writePidFile writes the pid so that a reader sees the whole number or no file.
func writePidFile(file string, pid int) error {
	tmp := path.Join(path.Dir(file), "."+path.Base(file))
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_TRUNC, 0o644)
	if errors.Is(err, os.ErrExist) {
		os.Remove(tmp)
		f, err = os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	}
	if err == nil {
		_, err = fmt.Fprint(f, pid)
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = os.Rename(tmp, file)
	}
	if err != nil {
		return fmt.Errorf("writing the pid file %s: %w", file, pathError(err))
	}
	return nil
}

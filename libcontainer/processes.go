package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// Processes lists the pids, on the host and in ascending order, of the
// container's processes: those in its cgroup. Without a cgroup they are those
// in its pid namespace, if that is its own, and otherwise its first process.
func (c *Container) Processes() ([]int, error) {
	m, err := c.manager()
	if err != nil {
		return nil, err
	}
	if m.Exists() {
		return m.Pids()
	}
	alive, err := c.initLives()
	if err != nil || !alive {
		return nil, err
	}
	if c.ownPidNamespace() {
		return pidsInNamespace(c.state.Pid)
	}
	return []int{c.state.Pid}, nil
}

// initLives tells whether the container's first process has not ended.
func (c *Container) initLives() (bool, error) {
	pidfd, err := sys.PidfdOpenAt(c.state.Pid, c.state.PidStart)
	if errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("opening process %d: %w", c.state.Pid, err)
	}
	return true, pidfd.Close()
}

// pidsInNamespace lists the processes that share a process's pid namespace.
// Those that may not be looked at, or end meanwhile, are left out.
func pidsInNamespace(pid int) ([]int, error) {
	want, err := os.Readlink(pidNamespace(strconv.Itoa(pid)))
	if err != nil {
		return nil, fmt.Errorf("reading the pid namespace of process %d: %w", pid, pathError(err))
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		n, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if ns, err := os.Readlink(pidNamespace(name)); err == nil && ns == want {
			pids = append(pids, n)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// ProcessTable is what ps(1) of $PATH prints with the options, errors
// included. It gets none of this process's descriptors.
func ProcessTable(options []string) ([]byte, error) {
	if err := sys.KeepDescriptors(); err != nil {
		return nil, err
	}
	return exec.Command("ps", options...).CombinedOutput()
}

func pidNamespace(pid string) string { return "/proc/" + pid + "/ns/pid" }

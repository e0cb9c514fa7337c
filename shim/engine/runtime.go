package engine

import (
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/libcontainer/cgroup"
)

// maker is who makes containers: libcontainer in this process, or another
// runtime's command line. Its methods may take time, and are called by any
// goroutine.
type maker interface {
	// traced is the same, for a call that is part of a trace.
	traced(t Trace) maker
	create(c *Create, o outlets) (born, error)
	restore(c *Create, o outlets) (born, error)
	start(id string) error
	exec(id string, p *specs.Process, o outlets) (born, error)
	kill(id string, sig unix.Signal, all bool) error
	pause(id string) error
	resume(id string) error
	update(id string, r *specs.LinuxResources) error
	checkpoint(id string, o CheckpointOptions) error
	// remove removes a container whatever its state; one that is not there is fine.
	remove(id string) error
	pids(id string) ([]int, error)
	stats(id string) (*libcontainer.Stats, error)
	watchOOM(id string) (*cgroup.OOMWatch, error)
	oom(id string) (kills uint64, level string, err error)
}

// outlets are what a process is given.
type outlets struct {
	stdio   [3]*os.File
	console func(master *os.File) error // nil without a terminal
	pidFile string
}

// born is a process that was made.
type born struct {
	pid   int
	pidfd *os.File // is the caller's to close
}

// CheckpointOptions are how a checkpoint is made.
type CheckpointOptions struct {
	Image, Work, Parent string
	Exit                bool // the container ends
	TCP, ExtUnixSockets bool
	Terminal, FileLocks bool
	CgroupsMode         string
	EmptyNamespaces     []string
}

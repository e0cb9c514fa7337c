package kills

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/internal/offspring"
)

// children are this process's: the commands that it waits for, and the orphans
// of those, which it takes as they end.
type children struct {
	mu       sync.Mutex
	awaited  map[int]chan syscall.WaitStatus
	null     *os.File
	sentinel int
	over     chan struct{}
}

// adopt begins to take orphans. As long as a sentinel lives there is something to
// wait for.
func adopt() (*children, error) {
	if err := offspring.Adopt(); err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	c := &children{awaited: map[int]chan syscall.WaitStatus{}, null: null, over: make(chan struct{})}
	c.sentinel, err = syscall.ForkExec("/bin/busybox", []string{"sleep", "1000000"}, &syscall.ProcAttr{Files: []uintptr{null.Fd(), null.Fd(), null.Fd()}})
	if err != nil {
		return nil, err
	}
	go c.reap()
	return c, nil
}

func (c *children) reap() {
	defer close(c.over)
	for {
		var status syscall.WaitStatus
		pid, err := offspring.Wait(-1, &status)
		if err != nil || pid == c.sentinel {
			return
		}
		c.mu.Lock()
		ended := c.awaited[pid]
		delete(c.awaited, pid)
		c.mu.Unlock()
		if ended != nil {
			ended <- status
		}
	}
}

// start starts a program, whose end is told.
func (c *children) start(argv []string, out *os.File) (pid int, ended chan syscall.WaitStatus, err error) {
	ended = make(chan syscall.WaitStatus, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{c.null.Fd(), out.Fd(), out.Fd()},
	})
	if err == nil {
		c.awaited[pid] = ended
	}
	return pid, ended, err
}

// close ends the sentinel, and leaves the rest to whoever waits next.
func (c *children) close() {
	_ = unix.Kill(c.sentinel, unix.SIGKILL)
	<-c.over
	c.null.Close()
}

package idmap

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// UserNS returns a descriptor of a new user namespace with the mappings m, for
// mount_setattr(2) to map a mount's ids by. Nothing runs in the namespace.
func UserNS(m Maps) (*os.File, error) {
	proc, err := startStopped(m)
	if err != nil {
		return nil, fmt.Errorf("making a user namespace for uids %s and gids %s: %w", text(m.UIDs), text(m.GIDs), err)
	}
	defer func() {
		_ = proc.Kill()
		_, _ = proc.Wait()
	}()
	return os.Open("/proc/" + strconv.Itoa(proc.Pid) + "/ns/user")
}

// startStopped starts a process in a new user namespace that ptrace(2) stops
// before its first instruction. Its program does not matter. It dies with the
// thread that started it, because a tracer's end would let it run.
func startStopped(m Maps) (*os.Process, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return os.StartProcess("/proc/self/exe", []string{"userns"}, &os.ProcAttr{
		Env: []string{},
		Sys: &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER,
			UidMappings: sysMaps(m.UIDs),
			GidMappings: sysMaps(m.GIDs),
			Ptrace:      true,
			Pdeathsig:   unix.SIGKILL,
		},
	})
}

func sysMaps(ids []specs.LinuxIDMapping) []syscall.SysProcIDMap {
	var maps []syscall.SysProcIDMap
	for _, m := range ids {
		maps = append(maps, syscall.SysProcIDMap{
			ContainerID: int(m.ContainerID),
			HostID:      int(m.HostID),
			Size:        int(m.Size),
		})
	}
	return maps
}

// Cache keeps one user namespace for each different mapping. The zero value is
// empty and ready; it may be used by several goroutines.
type Cache struct {
	mu    sync.Mutex
	files map[string]*os.File
}

// UserNS is the function [UserNS], once for each mapping. The descriptor is the
// cache's: not to be closed.
func (c *Cache) UserNS(m Maps) (*os.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := lines(m.UIDs) + "/" + lines(m.GIDs)
	if f := c.files[key]; f != nil {
		return f, nil
	}
	f, err := UserNS(m)
	if err != nil {
		return nil, err
	}
	if c.files == nil {
		c.files = map[string]*os.File{}
	}
	c.files[key] = f
	return f, nil
}

// Close closes every descriptor. Mounts that were mapped keep their mapping.
func (c *Cache) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.files {
		f.Close()
	}
	c.files = nil
}

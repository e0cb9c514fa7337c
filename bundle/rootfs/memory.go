package rootfs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/sys/userns"
	"golang.org/x/sys/unix"
)

// Memory is the path of a file that remembers that Probe has found overlays to
// work: since the machine was started, on a file system, with the caller's rights.
// "" remembers nothing. It is for directories in which only this program makes
// anything: to try out an overlay takes longer than to mount one.
type Memory string

// MemoryIn is the memory in a directory of the program's own.
func MemoryIn(dir string) Memory { return Memory(filepath.Join(dir, "overlay")) }

// Probe is [Probe], or what is remembered of it. What did not work is tried again
// each time.
func (m Memory) Probe(ctx context.Context, dir string) (Support, error) {
	if m == "" {
		return Probe(ctx, dir)
	}
	now, err := circumstances(dir)
	if err != nil {
		return Support{}, fmt.Errorf("probing for overlayfs in %s: %w", dir, err)
	}
	if then, err := os.ReadFile(string(m)); err == nil && string(then) == now {
		return Support{Overlay: true, Userxattr: userns.RunningInUserNS()}, nil
	}
	s, err := Probe(ctx, dir)
	if err == nil && s.Overlay {
		m.remember(now)
	}
	return s, err
}

// Forget has the next Probe try again: what is remembered was wrong.
func (m Memory) Forget() {
	if m != "" {
		os.Remove(string(m))
	}
}

// remember writes the file. Where that fails, the next Probe takes its time.
func (m Memory) remember(now string) {
	f, err := os.CreateTemp(filepath.Dir(string(m)), "."+filepath.Base(string(m))+"-")
	if err != nil {
		return
	}
	_, err = f.WriteString(now)
	if f.Close() != nil || err != nil || os.Rename(f.Name(), string(m)) != nil {
		os.Remove(f.Name())
	}
}

// circumstances are what the answer of Probe depends on, as text: the kernel that
// runs, the file system of a directory, and whether the caller may mount.
func circumstances(dir string) (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	var of, user unix.Stat_t
	if err := unix.Stat(dir, &of); err != nil {
		return "", err
	}
	if err := unix.Stat("/proc/self/ns/user", &user); err != nil {
		return "", err
	}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &sets[0]); err != nil {
		return "", os.NewSyscallError("capget", err)
	}
	admin := sets[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
	return fmt.Sprintf("boot %sdevice %d\nuser namespace %d\nadmin %t\n", boot, of.Dev, user.Ino, admin), nil
}

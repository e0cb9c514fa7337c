// Package disk makes file systems to try tools on: ext4 with a journal on a loop
// device, new for every run, as creating files after a large removal is slow.
//
// It is not for what a test can do in a temporary directory.
package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// diskSize is that of the file system of a run, in bytes: for both forms of the
// largest image and an archive.
const diskSize = 12 << 30

// Disk is a loop device on which every run has a new file system.
type Disk struct {
	Dir    string // holds the device's file and the mount point, and what is to outlast a run
	device string
}

// New makes the device, below the directory for temporary files.
func New(ctx context.Context) (*Disk, error) {
	dir, err := os.MkdirTemp("", "disk-")
	if err != nil {
		return nil, err
	}
	d := &Disk{Dir: dir}
	if err := d.make(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return d, nil
}

func (d *Disk) make(ctx context.Context) error {
	file := filepath.Join(d.Dir, "disk")
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(diskSize), f.Close(), os.Mkdir(d.MountPoint(), 0o755)); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "losetup", "--direct-io=on", "--find", "--show", file).Output()
	d.device = strings.TrimSpace(string(out))
	if err != nil {
		return fmt.Errorf("losetup: %w", err)
	}
	return nil
}

// MountPoint is where each file system is.
func (d *Disk) MountPoint() string { return filepath.Join(d.Dir, "mnt") }

// Fresh mounts a new ext4 with a journal, whose tables are all written.
func (d *Disk) Fresh(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "mkfs.ext4", "-q", "-F", "-N", "600000", "-J", "size=128", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", d.device).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mkfs.ext4: %w: %s", err, out)
	}
	return unix.Mount(d.device, d.MountPoint(), "ext4", 0, "")
}

// Leave takes the file system away, with what tools mounted on it.
func (d *Disk) Leave() error {
	for {
		err := unix.Unmount(d.MountPoint(), unix.MNT_DETACH)
		if err != nil {
			if errors.Is(err, unix.EINVAL) {
				return nil
			}
			return err
		}
	}
}

// Remove removes the device and all files.
func (d *Disk) Remove() {
	_ = d.Leave()
	_ = exec.Command("losetup", "--detach", d.device).Run()
	_ = os.RemoveAll(d.Dir)
}

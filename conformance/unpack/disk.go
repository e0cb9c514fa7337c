package main

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

// disk is a loop device on which every run has a new file system.
type disk struct {
	dir    string // holds the device's file, the inputs, and the mount point
	device string
}

// newDisk makes the device.
func newDisk(ctx context.Context) (*disk, error) {
	dir, err := os.MkdirTemp("", "unpack-")
	if err != nil {
		return nil, err
	}
	d := &disk{dir: dir}
	if err := d.make(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return d, nil
}

func (d *disk) make(ctx context.Context) error {
	file := filepath.Join(d.dir, "disk")
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(diskSize), f.Close(), os.Mkdir(d.mountPoint(), 0o755)); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "losetup", "--direct-io=on", "--find", "--show", file).Output()
	d.device = strings.TrimSpace(string(out))
	if err != nil {
		return fmt.Errorf("losetup: %w", err)
	}
	return nil
}

func (d *disk) mountPoint() string { return filepath.Join(d.dir, "mnt") }

// fresh mounts a new ext4 with a journal, whose tables are all written.
func (d *disk) fresh(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "mkfs.ext4", "-q", "-F", "-N", "600000", "-J", "size=128", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", d.device).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mkfs.ext4: %w: %s", err, out)
	}
	return unix.Mount(d.device, d.mountPoint(), "ext4", 0, "")
}

// leave takes the file system away, with what tools mounted on it.
func (d *disk) leave() error {
	for {
		err := unix.Unmount(d.mountPoint(), unix.MNT_DETACH)
		if err != nil {
			if errors.Is(err, unix.EINVAL) {
				return nil
			}
			return err
		}
	}
}

// remove removes the device and all files.
func (d *disk) remove() {
	_ = d.leave()
	_ = exec.Command("losetup", "--detach", d.device).Run()
	_ = os.RemoveAll(d.dir)
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/internal/disk"
)

// result is what a run took.
type result struct {
	wall, onDisk, cpu time.Duration
	peak              int64 // KiB, of the largest process
}

// measure runs a tool once, on a new file system.
func measure(ctx context.Context, d *disk.Disk, t tool, in input) (result, error) {
	if err := d.Fresh(ctx); err != nil {
		return result{}, err
	}
	defer d.Leave()
	dir := d.MountPoint()
	if t.setup != nil {
		if out, err := exec.CommandContext(ctx, t.setup(in, dir)[0], t.setup(in, dir)[1:]...).CombinedOutput(); err != nil {
			return result{}, fmt.Errorf("preparing: %w: %s", err, out)
		}
		unix.Sync()
	}
	if err := in.warm(); err != nil {
		return result{}, err
	}
	if err := touchMemory(); err != nil {
		return result{}, err
	}
	return timed(ctx, t.command(in, dir), dir)
}

// touchMemory has the host give memory now that the run will want.
func touchMemory() error {
	const size = 2 << 30
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err != nil {
		return err
	}
	return unix.Munmap(memory)
}

// timed runs a command below time(1), which knows the peak memory of its children
// and not of ours, and waits until what was written is on disk.
func timed(ctx context.Context, command []string, dir string) (result, error) {
	report := filepath.Join(filepath.Dir(dir), "time")
	cmd := exec.CommandContext(ctx, "time", append([]string{"-o", report, "-f", "%e %U %S %M"}, command...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return result{}, fmt.Errorf("%w: %s", err, strings.Join(strings.Fields(string(out)), " "))
	}
	f, err := os.Open(dir)
	if err != nil {
		return result{}, err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return result{}, err
	}
	r := result{onDisk: time.Since(begun)}
	return r, r.read(report)
}

// read takes in what time(1) wrote.
func (r *result) read(report string) error {
	data, err := os.ReadFile(report)
	if err != nil {
		return err
	}
	var wall, user, system float64
	if _, err := fmt.Sscan(string(data), &wall, &user, &system, &r.peak); err != nil {
		return fmt.Errorf("reading %q: %w", data, err)
	}
	r.wall, r.cpu = seconds(wall), seconds(user+system)
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

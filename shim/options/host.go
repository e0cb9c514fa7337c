package options

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/config"
)

// Host is what a configuration depends on of this machine.
func Host() (config.Facts, error) {
	_, mqueue := os.Stat("/dev/mqueue")
	f := config.Facts{Arch: runtime.GOARCH, Cgroup2: onlyCgroup2(), NoMqueue: mqueue != nil}
	for _, step := range [...]func(*config.Facts) error{kernel, lastCapability, processors} {
		if err := step(&f); err != nil {
			return f, fmt.Errorf("looking at this machine: %w", err)
		}
	}
	return f, nil
}

// onlyCgroup2 tells whether cgroup v2 is all that the host has.
func onlyCgroup2() bool {
	var fs unix.Statfs_t
	return unix.Statfs("/sys/fs/cgroup", &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC
}

// kernel reads the kernel's version.
func kernel(f *config.Facts) error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	release := unix.ByteSliceToString(name.Release[:])
	if _, err := fmt.Sscanf(release, "%d.%d", &f.Kernel[0], &f.Kernel[1]); err != nil {
		return fmt.Errorf("kernel %q: %w", release, err)
	}
	return nil
}

// lastCapability reads the number of the last capability.
func lastCapability(f *config.Facts) error {
	text, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err == nil {
		f.LastCapability, err = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	return err
}

// processors counts those that there can be: "0-3" are four.
func processors(f *config.Facts) error {
	text, err := os.ReadFile("/sys/devices/system/cpu/possible")
	if err != nil {
		f.CPUs = runtime.NumCPU() // /sys may be masked
		return nil
	}
	last := strings.TrimSpace(string(text))
	last = last[strings.LastIndexAny(last, "-,")+1:]
	n, err := strconv.Atoi(last)
	f.CPUs = n + 1
	return err
}

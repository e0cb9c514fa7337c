package sys

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// KeepDescriptors comes before the start of a program on the host: it keeps
// from it what this process's own caller left open without close-on-exec. What
// the program is meant to have is given to it by its number, and still reaches it.
// CVE-2024-21626: an engine's descriptors reach where they do not belong.
//
// Linux 5.11: CLOSE_RANGE_CLOEXEC. A container host's filter may refuse the
// call, which is then done without.
func KeepDescriptors() error {
	const firstOther = 3
	if unix.CloseRange(firstOther, 1<<32-1, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return nil
	}
	return keepOpened(firstOther)
}

// keepOpened goes by the numbers that proc lists.
func keepOpened(first int) error {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

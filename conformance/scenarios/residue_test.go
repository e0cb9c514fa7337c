package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/internal/offspring"
)

// lookForResidue fails the test where engines that have ended left processes,
// cgroups, mounts or a container's state.
func lookForResidue(t *testing.T, ended []*instance) {
	for _, pid := range others() {
		words, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if !awaitEnd(pid, 10*time.Second) {
			t.Errorf("process %d is left: %s", pid, strings.ReplaceAll(string(words), "\x00", " "))
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	for _, i := range ended {
		for _, cgroup := range removeCgroups(i.cgroup) {
			if name := filepath.Base(cgroup); name != filepath.Base(i.cgroup) && name != "conmon" && i.name == "davit" {
				t.Errorf("%s: cgroup is left: %s", i, cgroup)
			}
		}
	}
	removeCgroups("/" + filepath.Base(os.Getenv("DAVIT_ENGINES_DIR")))
	for _, line := range mountsBelow(t, os.Getenv("DAVIT_ENGINES_DIR")) {
		t.Errorf("mount is left: %s", line)
	}
	states, _ := filepath.Glob("/run/davit/[^.]*")
	for _, state := range states {
		t.Errorf("state is left: %s", state)
	}
}

// others are the live processes of the pid namespace but its first and this one.
func others() (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if pid != 1 && pid != os.Getpid() && offspring.Alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// awaitEnd waits for a process to end, and tells whether it did in time.
func awaitEnd(pid int, grace time.Duration) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(grace.Milliseconds()))
	return n > 0 || err != nil
}

// ownMount matches what an engine mounts for itself, and keeps.
var ownMount = regexp.MustCompile(`/cgroup/[a-z_,]+$|/root/overlay$|/data/overlay2$|/(docker|podman|containerd)-[a-z-]+/net$|^/run/netns$`)

// mountsBelow are the mounts in a folder and in /run, as lines of mountinfo, but
// those that the machine was prepared with.
func mountsBelow(t *testing.T, dir string) (found []string) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Error(fmt.Errorf("looking for mounts: %w", err))
	}
	for line := range strings.Lines(string(text)) {
		place := strings.Fields(line)[4]
		if (strings.HasPrefix(place, dir+"/") || strings.HasPrefix(place, "/run/")) && !ownMount.MatchString(place) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

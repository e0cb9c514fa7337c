package network

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Process is a program that runs for a container, told from any other that gets
// its number by the time of its start.
type Process struct {
	Program string
	PID     int    `json:",omitempty"` // 0: not known yet
	Start   uint64 `json:",omitempty"` // clock ticks since boot
}

// startTime is when a process started; 0 where there is none, or it has ended.
func startTime(pid int) uint64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return 0
	}
	start, _ := strconv.ParseUint(fields[19], 10, 64)
	return start
}

// kill kills the process, if it is still that one, and waits for its end.
func (p Process) kill() error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(fd)
	if startTime(p.PID) != p.Start {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err == unix.ESRCH {
		return nil
	} else if err != nil {
		return os.NewSyscallError("pidfd_send_signal", err)
	}
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
	}
}

// find are the processes with an argument that is mark, or mark's pid file. One
// of another user is not there to be killed.
func find(mark string) (found []Process) {
	paths, _ := filepath.Glob("/proc/[0-9]*")
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil || pid == os.Getpid() {
			continue
		}
		start := startTime(pid)
		data, err := os.ReadFile(path + "/cmdline")
		if err != nil || start == 0 || !hasArgument(data, mark) {
			continue
		}
		found = append(found, Process{PID: pid, Start: start})
	}
	return found
}

func hasArgument(cmdline []byte, mark string) bool {
	for arg := range bytes.SplitSeq(cmdline, []byte{0}) {
		if rest, ok := bytes.CutPrefix(arg, []byte(mark)); ok && (len(rest) == 0 || string(rest) == ".pid") {
			return true
		}
	}
	return false
}

package sys

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// startChild starts a shell script whose parent does not wait for it, and
// returns its pid and a pidfd.
func startChild(t *testing.T, script string) (pid int, pidfd *os.File) {
	t.Helper()
	fd := -1
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{PidFD: &fd}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pidfd = os.NewFile(uintptr(fd), "pidfd")
	t.Cleanup(func() {
		PidfdSignal(pidfd, unix.SIGKILL)
		PidfdWait(pidfd)
		pidfd.Close()
	})
	return cmd.Process.Pid, pidfd
}

func TestPidfdWait(t *testing.T) {
	tests := []struct {
		name, script string
		want         Exit
		status       int
		text         string
	}{
		{"success", "exit 0", Exit{}, 0, "exit status 0"},
		{"code", "exit 7", Exit{Code: 7}, 7, "exit status 7"},
		{"largest code", "exit 255", Exit{Code: 255}, 255, "exit status 255"},
		{"killed", "kill -KILL $$", Exit{Signal: unix.SIGKILL}, 137, "signal: killed"},
		{"terminated", "kill -TERM $$", Exit{Signal: unix.SIGTERM}, 143, "signal: terminated"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, pidfd := startChild(t, tt.script)
			got, err := PidfdWait(pidfd)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want || got.Status() != tt.status || got.String() != tt.text {
				t.Errorf("got %+v, %d, %q, want %+v, %d, %q", got, got.Status(), got, tt.want, tt.status, tt.text)
			}
			if _, err := PidfdWait(pidfd); !errors.Is(err, unix.ECHILD) {
				t.Errorf("second wait: got %v, want ECHILD", err)
			}
		})
	}
}

func TestExitWithCore(t *testing.T) {
	info := siginfoChild{Code: cldDumped, Status: int32(unix.SIGSEGV)}
	if got, want := info.exit().String(), "signal: segmentation fault (core dumped)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPidfdPoll(t *testing.T) {
	_, pidfd := startChild(t, "exec sleep 60")
	for _, timeout := range []time.Duration{0, 5 * time.Millisecond} {
		if exited, err := PidfdPoll(pidfd, timeout); exited || err != nil {
			t.Fatalf("poll %v of a live process: %v, %v", timeout, exited, err)
		}
	}
	if err := PidfdSignal(pidfd, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if exited, err := PidfdPoll(pidfd, -1); !exited || err != nil {
		t.Fatalf("poll of a killed process: %v, %v", exited, err)
	}
}

func TestPidfdOpenAt(t *testing.T) {
	pid, pidfd := startChild(t, "exec sleep 60")
	start, err := StartTime(pid)
	if err != nil {
		t.Fatal(err)
	}
	f, err := PidfdOpenAt(pid, start)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := PidfdOpenAt(pid, start+1); !errors.Is(err, unix.ESRCH) {
		t.Errorf("another start time: got %v, want ESRCH", err)
	}
	PidfdSignal(pidfd, unix.SIGKILL)
	PidfdPoll(pidfd, -1)
	if _, err := PidfdOpenAt(pid, start); !errors.Is(err, unix.ESRCH) {
		t.Errorf("a zombie: got %v, want ESRCH", err)
	}
	PidfdWait(pidfd)
	if _, err := StartTime(pid); !errors.Is(err, unix.ESRCH) {
		t.Errorf("start time of a reaped process: got %v, want ESRCH", err)
	}
	if err := PidfdSignal(pidfd, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("signal to a reaped process: got %v, want ESRCH", err)
	}
}

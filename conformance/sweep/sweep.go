package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/internal/offspring"
	"github.com/davit-containers/davit/conformance/internal/residue"
	"github.com/davit-containers/davit/conformance/internal/view"
)

// sweep kills the commands of one runtime, on one kind of container, in one
// view of the cgroups.
type sweep struct {
	*launcher
	runtime string // its program
	root    string // where it keeps its state
	box     container
	where   residue.Where
	clean   residue.Snapshot
	owner   int           // the host's uid whose keys count; 0 for none
	keys    int           // that it had in the beginning
	lasting unix.Stat_t   // the file that the container's program is
	brief   []unix.Stat_t // those that the other programs are
}

// row is what came of one scenario.
type row struct {
	view     view.View
	kind     string
	scenario string
	killed   int // how often the command was killed
	calls    int // the last call at which it was
	failures []string
}

// newSweep makes the bundles below dir, and looks at the host after one whole
// life: what the first container leaves for all, such as a folder for the
// states, is not left behind.
func newSweep(dir, runtime string, k kind) (*sweep, error) {
	token := fmt.Sprintf("sweep-%d", os.Getpid())
	s := &sweep{runtime: runtime, root: filepath.Join(dir, "state"), owner: k.owner, box: container{token, filepath.Join(dir, k.name)}}
	s.where = residue.Where{Token: token, Trees: []string{s.root, s.box.bundle, s.box.bundle + shortSuffix}}
	if err := writeBundles(dir, token, k); err != nil {
		return nil, fmt.Errorf("making the bundles: %w", err)
	}
	err := s.findPrograms()
	if err != nil {
		return nil, err
	}
	if s.keys, err = residue.Keys(k.owner); err != nil {
		return nil, err
	}
	if s.launcher, err = newLauncher(dir); err != nil {
		return nil, err
	}
	if err := s.must(runShort, create, start, execShort, destroy); err != nil {
		s.tidy()
		return nil, err
	}
	s.clean, err = residue.Take(s.where)
	return s, err
}

// findPrograms identifies the containers' programs.
func (s *sweep) findPrograms() error {
	s.brief = make([]unix.Stat_t, 2)
	for file, st := range map[string]*unix.Stat_t{
		s.box.bundle + "/rootfs/bin/sleep":              &s.lasting,
		s.box.bundle + "/rootfs/bin/true":               &s.brief[0],
		s.box.bundle + shortSuffix + "/rootfs/bin/true": &s.brief[1],
	} {
		if err := unix.Stat(file, st); err != nil {
			return &os.PathError{Op: "stat", Path: file, Err: err}
		}
	}
	return nil
}

// command is a command line of the runtime.
func (s *sweep) command(a action) []string {
	return append([]string{s.runtime, "--root", s.root}, a(s.box)...)
}

// do runs a command of the runtime.
func (s *sweep) do(a action) (outcome, error) { return s.run(s.command(a)) }

// must runs commands that have to succeed.
func (s *sweep) must(actions ...action) error {
	for _, a := range actions {
		o, err := s.do(a)
		if err == nil && !o.ok() {
			err = fmt.Errorf("%s: %v", a(s.box)[0], o)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scenario kills the command at one call after the other, in steps of every,
// until it has ended before it could be killed.
func (s *sweep) scenario(ctx context.Context, sc scenario, first, every int) row {
	r := row{scenario: sc.name}
	for at := first; ctx.Err() == nil && len(r.failures) < maxFailures; at += every {
		killed, err := s.point(sc, at)
		if err != nil {
			r.failures = append(r.failures, fmt.Sprintf("%s, killed %v: %v", sc.name, killed, err))
			s.tidy()
		}
		if killed.call == 0 {
			break
		}
		r.killed++
		r.calls = killed.call
	}
	return r
}

// maxFailures ends a scenario that fails again and again.
const maxFailures = 10

// point kills the command at one call, and judges what is then.
func (s *sweep) point(sc scenario, at int) (point, error) {
	if err := s.must(sc.before...); err != nil {
		return point{}, fmt.Errorf("before: %w", err)
	}
	t, o, err := s.runKilled(s.command(sc.command), at)
	if err != nil {
		return point{}, err
	}
	if t.killed.call == 0 && !o.ok() {
		return t.killed, fmt.Errorf("it failed although it was not killed: %v", o)
	}
	if err := s.judge(sc, at); err != nil {
		return t.killed, err
	}
	return t.killed, s.judgeRemoval()
}

// tidy takes away what a failure left, so that the next point begins clean.
func (s *sweep) tidy() {
	offspring.KillAll()
	_, _ = s.do(destroy)
	_ = offspring.AwaitEnd(s.grace)
	_ = os.RemoveAll(filepath.Join(s.root, s.box.id))
}

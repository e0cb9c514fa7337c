package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/davit-containers/davit/conformance/internal/offspring"
	"github.com/davit-containers/davit/conformance/internal/residue"
)

// report is what state and list say of a container.
type report struct {
	ID     string `json:"id"`
	Pid    int    `json:"pid"`
	Status string `json:"status"`
}

// nothing is the status of a container that does not exist.
const nothing = "nothing"

// judge looks at a container right after a command about it was killed: what
// state and list say must be true, and what they offer must work. At every
// other point a created container is started.
func (s *sweep) judge(sc scenario, at int) error {
	told, err := s.checkState()
	if err != nil {
		return err
	}
	if sc.mustRun && told.Status != "running" {
		return fmt.Errorf("the container is %s, and should run", told.Status)
	}
	if err := s.checkList(told); err != nil {
		return err
	}
	if told.Status == "created" && at%2 == 0 {
		if err := s.checkStart(); err != nil {
			return err
		}
	}
	if sc.mustRun {
		return s.checkExec(told.Pid)
	}
	return nil
}

// checkState compares what state says with the processes that there are. What
// the killed command began may go on meanwhile, so that it is enough if the
// answer was true before or after.
func (s *sweep) checkState() (report, error) {
	there, before := offspring.All(), s.running()
	told, err := s.state()
	if err != nil {
		return told, err
	}
	after := s.running()
	switch told.Status {
	case "paused":
		return told, errors.New("state says paused, and nobody has paused the container")
	case "running":
		if !slices.Contains(after, told.Pid) && !slices.Contains(before, told.Pid) && !s.briefly(told.Pid, there) {
			return told, fmt.Errorf("state says %s, with pid %d (%s), and that is not the container's program", told.Status, told.Pid, offspring.Name(told.Pid))
		}
	case "created":
		if !offspring.Alive(told.Pid) && !slices.Contains(there, told.Pid) {
			return told, fmt.Errorf("state says created, with pid %d, and that process is dead", told.Pid)
		}
	case nothing, "stopped", "creating":
		if len(before) > 0 && len(after) > 0 {
			return told, fmt.Errorf("state says %s, and the container's program runs as process %d", told.Status, after[0])
		}
	default:
		return told, fmt.Errorf("state says %q", told.Status)
	}
	return told, nil
}

// running are the processes that execute the container's lasting program.
func (s *sweep) running() []int {
	var found []int
	for _, pid := range offspring.All() {
		if executes(pid, s.lasting) {
			found = append(found, pid)
		}
	}
	return found
}

// briefly tells whether a process executes one of the programs that end at
// once, or had not ended before, and is about to end now or has done so.
func (s *sweep) briefly(pid int, before []int) bool {
	return executes(pid, s.brief...) || slices.Contains(before, pid) && (!offspring.Alive(pid) || offspring.Dying(pid))
}

// state asks for the container's state. That there is none is an answer, too;
// any other failure must say that the container is incomplete.
func (s *sweep) state() (report, error) {
	o, err := s.do(state)
	if err != nil {
		return report{}, err
	}
	if !o.ok() {
		if strings.Contains(o.stderr, "does not exist") || strings.Contains(o.stderr, "incomplete") {
			return report{Status: nothing}, nil
		}
		return report{}, fmt.Errorf("state: %v", o)
	}
	var told report
	if err := json.Unmarshal([]byte(o.stdout), &told); err != nil {
		return report{}, fmt.Errorf("reading what state says: %w", err)
	}
	return told, nil
}

// checkList makes sure that list says what state says, or would say now.
func (s *sweep) checkList(told report) error {
	o, err := s.do(list)
	if err == nil && !o.ok() {
		err = fmt.Errorf("list: %v", o)
	}
	if err != nil {
		return err
	}
	var all []report
	if err := json.Unmarshal([]byte(o.stdout), &all); err != nil {
		return fmt.Errorf("reading what list says: %w", err)
	}
	listed := report{Status: nothing}
	if i := slices.IndexFunc(all, func(r report) bool { return r.ID == s.box.id }); i >= 0 {
		listed = all[i]
	}
	if listed.Status == told.Status {
		return nil
	}
	now, err := s.state()
	if err == nil && now.Status != listed.Status && !passes(told.Status, listed.Status, now.Status) {
		err = fmt.Errorf("state says %s, then list %s, then state %s", told.Status, listed.Status, now.Status)
	}
	return err
}

// passes tells whether a container whose command was killed can have had these
// states one after the other: its stage and its program may go on.
func passes(states ...string) bool {
	life := []string{nothing, "creating", "created", "running", "stopped"}
	return slices.IsSortedFunc(states, func(a, b string) int {
		return slices.Index(life, a) - slices.Index(life, b)
	})
}

// checkStart starts a container that is said to be created. Where the killed
// command was about to start it, it runs by now, or ends.
func (s *sweep) checkStart() error {
	o, err := s.do(start)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(s.grace); ; time.Sleep(time.Millisecond) { // there is no event
		told, err := s.state()
		if err != nil || told.Status == "running" || told.Status == "stopped" {
			return err
		}
		if o.ok() || time.Now().After(deadline) {
			return fmt.Errorf("start of the created container: %v; then state says %s", o, told.Status)
		}
	}
}

// checkExec executes something else, and waits until every process of the
// container is one of its programs: what the killed exec had half made must
// end by itself.
func (s *sweep) checkExec(init int) error {
	if err := s.must(execShort); err != nil {
		return fmt.Errorf("another exec: %w", err)
	}
	deadline := time.Now().Add(s.grace)
	for {
		stranger := slices.IndexFunc(offspring.All(), func(pid int) bool { return pid != init && !executes(pid, s.lasting) })
		if stranger < 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("a process is neither dead nor a program of the container: " + strings.Join(offspring.KillAll(), ", "))
		}
		offspring.Reap()
		time.Sleep(time.Millisecond) // there is no event for "one of all descendants has ended or executed a program"
	}
}

// awaitKeys waits until the kernel has freed the keys of the containers.
func (s *sweep) awaitKeys() error {
	for deadline := time.Now().Add(s.grace); ; time.Sleep(10 * time.Millisecond) { // there is no event
		keys, err := residue.Keys(s.owner)
		if err != nil || s.owner == 0 || keys <= s.keys {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("left behind: %d keys and keyrings of uid %d", keys-s.keys, s.owner)
		}
	}
}

// judgeRemoval deletes the container by force, whatever it is, and makes sure
// that nothing is left, and that its id can be used again.
func (s *sweep) judgeRemoval() error {
	for _, what := range []string{"delete --force", "create and delete --force again"} {
		if err := s.checkRemoval(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if what != "delete --force" {
			break
		}
		if err := s.must(create); err != nil {
			return fmt.Errorf("the same id again: %w", err)
		}
	}
	return nil
}

// checkRemoval is one removal.
func (s *sweep) checkRemoval() error {
	o, err := s.do(destroy)
	if err != nil {
		return err
	}
	if !o.ok() || o.stderr != "" || o.stdout != "" {
		return fmt.Errorf("%v", o)
	}
	if err := offspring.AwaitEnd(s.grace); err != nil {
		return err
	}
	now, err := residue.Take(s.where)
	if err != nil {
		return err
	}
	if left := now.New(s.clean); len(left) > 0 {
		return errors.New("left behind: " + strings.Join(left, "; "))
	}
	told, err := s.state()
	if err == nil && told.Status != nothing {
		err = fmt.Errorf("then state says %s", told.Status)
	}
	return err
}

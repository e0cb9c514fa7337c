package engine

import (
	"errors"
	"testing"
)

// Every operation has an answer in every state that lasts: it is refused, or
// leads somewhere from where it comes back.
func TestTables(t *testing.T) {
	for s := range states {
		for op := range operations {
			v := ofContainers[s][op]
			switch {
			case s.passing() && op != opKill && op != opResize && !v.later:
				t.Errorf("state %d: operation %d does not wait", s, op)
			case s.passing():
			case v.later:
				t.Errorf("state %d: operation %d waits for ever", s, op)
			case v.refusal == "" && v.next != s && !v.next.passing():
				t.Errorf("state %d: operation %d leads to %d without work", s, op, v.next)
			case v.refusal == "" && v.next == creating:
				t.Errorf("state %d: operation %d has no verdict", s, op)
			}
		}
	}
	for _, s := range []state{created, running, stopped} {
		for _, op := range []operation{opStart, opKill, opDelete, opResize} {
			if v := ofExecs[s][op]; v.later || v.refusal == "" && v.next == creating {
				t.Errorf("exec, state %d: operation %d has no verdict", s, op)
			}
		}
	}
}

// What came while a process was being removed is refused when it has gone.
func TestWaitsForARemoval(t *testing.T) {
	c := &task{execs: map[string]*process{}}
	c.init = &process{task: c, table: &ofContainers, state: deleting}
	exec := c.newExec("x", 2, Streams{}, nil)
	exec.state, c.execs["x"] = deleting, exec
	var refusals []error
	refused := func(err error) { refusals = append(refusals, err) }
	for _, p := range []*process{c.init, exec} {
		for _, op := range []operation{opStart, opExec, opDelete} {
			p.try(op, func() { t.Errorf("operation %d is done", op) }, refused)
		}
	}
	if len(refusals) != 0 {
		t.Errorf("refused at once: %v", refusals)
	}
	c.dismiss()
	for _, err := range refusals {
		if r := (*Refusal)(nil); !errors.As(err, &r) || r.Kind != NotFound {
			t.Errorf("got %v", err)
		}
	}
	if len(refusals) != 6 {
		t.Errorf("%d were refused", len(refusals))
	}
}

func TestJournalHalfWritten(t *testing.T) {
	dir := t.TempDir()
	j, err := newJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer j.file.Close()
	if err := j.add(record{Kind: recordCreate, Create: &Create{ID: "one"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := j.file.WriteString(`{"k":"born","pid":1`); err != nil {
		t.Fatal(err)
	}
	records, err := readJournal(j.file)
	if err != nil || len(records) != 1 || records[0].Create.ID != "one" {
		t.Errorf("got %+v, %v", records, err)
	}
}

// A container that ends while a further process is being started, which then
// fails, is told of.
func TestEndWhileExecFails(t *testing.T) {
	var told []EventKind
	e := &Engine{Config: Config{Publish: func(ev Event) { told = append(told, ev.Kind) }}}
	c := &task{engine: e, create: &Create{ID: "one"}, private: true, execs: map[string]*process{}}
	c.init = &process{engine: e, task: c, table: &ofContainers, state: running, pid: 1, ended: true}
	exec := c.newExec("x", 2, Streams{}, nil)
	exec.state, c.execs["x"] = starting, exec
	c.init.settle(running)
	if len(told) != 0 {
		t.Fatalf("told of %v while a process is being started", told)
	}
	exec.failExec()
	if len(told) != 1 || told[0] != Exited {
		t.Errorf("told of %v, want the end", told)
	}
}

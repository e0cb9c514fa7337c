package engine

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"github.com/davit-containers/davit/libcontainer/cgroup"
)

// watchOOM begins to listen to the kernel killing processes for want of memory.
func (t *task) watchOOM() {
	var w *cgroup.OOMWatch
	var err error
	t.engine.work(func() { w, err = t.runtime.watchOOM(t.create.ID) }, func() {
		if err != nil {
			t.engine.warn(err.Error())
		}
		if err != nil || w == nil {
			return
		}
		if t.init.ended {
			w.Close()
			return
		}
		t.oom = w
		poll := w.Poll()
		t.oomWatch, err = t.engine.Loop.Watch(int(poll.Fd), uint32(poll.Events), func(uint32) { t.checkOOM() })
	})
}

// checkOOM tells of what has happened since it was last called.
func (t *task) checkOOM() {
	if t.oom == nil {
		return
	}
	happened, err := t.oom.Happened()
	if err != nil {
		t.engine.warn(err.Error())
	}
	if happened {
		t.tellOOM()
	}
	if t.oom.Poll().Fd < 0 {
		t.closeOOM()
	}
}

func (t *task) tellOOM() {
	if err := t.journal.add(record{Kind: recordOOM}); err != nil {
		t.engine.warn(err.Error())
	}
	t.engine.Publish(Event{Kind: OutOfMemory, Task: t.create.ID})
	t.explainOOM()
}

// missedOOM tells of what the kernel did while there was no supervisor.
func (t *task) missedOOM() {
	if t.toldOOM {
		return
	}
	if kills, _, err := t.runtime.oom(t.create.ID); err == nil && kills > 0 {
		t.tellOOM()
	}
}

// explainOOM logs whose limit it was.
func (t *task) explainOOM() {
	var kills uint64
	var level string
	var err error
	t.engine.work(func() { kills, level, err = t.runtime.oom(t.create.ID) }, func() {
		if err == nil && kills > 0 {
			t.engine.warn(fmt.Sprintf("container %s: the kernel killed %d processes for want of memory: the limit is that of cgroup %s", t.create.ID, kills, level))
		}
	})
}

func (t *task) closeOOM() {
	t.oomWatch.Stop()
	if t.oom != nil {
		t.oom.Close()
		t.oom = nil
	}
}

// ownsPidNamespace tells whether a process is the first of its pid namespace,
// with which all others end.
func ownsPidNamespace(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return false
	}
	_, line, found := bytes.Cut(status, []byte("\nNSpid:"))
	line, _, _ = bytes.Cut(line, []byte("\n"))
	numbers := bytes.Fields(line)
	return found && len(numbers) > 1 && string(numbers[len(numbers)-1]) == "1"
}

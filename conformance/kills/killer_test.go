package kills

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// pair is a container's supervisor and keeper; 0 where there is none now.
type pair struct{ supervisor, keeper int }

// supervisors are those of this machine's containers, by ID.
func (m *machine) supervisors() map[string]*pair {
	all := map[string]*pair{}
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range paths {
		data, _ := os.ReadFile(path)
		args := bytes.Split(data, []byte{0})
		const words = 3 // davit-shim supervise DIR; a keeper has its own name before
		for len(args) > 1 && string(args[1]) != "supervise" {
			args = args[1:]
		}
		if len(args) < words || filepath.Dir(string(args[2])) != filepath.Join(m.root(), "containers") {
			continue
		}
		id := filepath.Base(string(args[2]))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if all[id] == nil {
			all[id] = &pair{}
		}
		if forked(pid, args) {
			continue
		}
		if bytes.HasPrefix(data, []byte("davit-keeper\x00")) { // its comm is set later
			all[id].keeper = pid
		} else {
			all[id].supervisor = pid
		}
	}
	return all
}

// forked tells whether a process is a child that has the supervisor's command line until
// it executes a program: who is killed is the supervisor.
func forked(pid int, args [][]byte) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := bytes.Cut(status, []byte("\nPPid:"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	parent, _ := os.ReadFile("/proc/" + string(bytes.TrimSpace(line)) + "/cmdline")
	return bytes.HasSuffix(parent, bytes.Join(args, []byte{0})) && !bytes.HasPrefix(parent, []byte("davit-keeper\x00"))
}

// killer kills supervisors, and now and then a keeper with or without its
// supervisor, until it has killed so many or is stopped.
type killer struct {
	*machine
	rand *rand.Rand
	left atomic.Int64
	kept int // how many supervisors alone
	both int // and how many with their keepers
	only int // and how many keepers alone
}

func (k *killer) run(stop <-chan struct{}) {
	for k.left.Load() > 0 {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(10+k.rand.IntN(50)) * time.Millisecond):
			k.kill()
		}
	}
}

// kill kills one.
func (k *killer) kill() {
	all := k.supervisors()
	var ids []string
	for id, p := range all {
		if p.supervisor != 0 {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return
	}
	id := ids[k.rand.IntN(len(ids))]
	p := all[id]
	const often = 6
	withKeeper := k.rand.IntN(often)
	if id == k.spared || p.keeper == 0 || withKeeper > 1 {
		withKeeper = often
	}
	var err error
	switch withKeeper {
	case 0:
		k.loses(id)
		err = unix.Kill(p.keeper, unix.SIGKILL)
		_ = unix.Kill(p.supervisor, unix.SIGKILL)
		k.both++
	case 1:
		k.loses(id) // if its supervisor is killed too, later
		err = unix.Kill(p.keeper, unix.SIGKILL)
		k.only++
	default:
		err = unix.Kill(p.supervisor, unix.SIGKILL)
		k.kept++
	}
	if err == nil {
		k.left.Add(-1)
	}
}

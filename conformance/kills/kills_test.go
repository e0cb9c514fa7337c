package kills

import (
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/needs"
)

var (
	kills   = flag.Int("kills", 24, "kill commands and supervisors `N` times, half of them each")
	seed    = flag.Uint64("seed", 0, "choose by `N`; 0 for another one each time")
	workers = flag.Int("workers", 4, "`N` workers side by side")
	judged  = flag.String("davit-shim", "../../bin/davit-shim", "the `PROGRAM` that is judged")
)

// inside is set in the process that has namespaces of its own.
const inside = "DAVIT_KILLS_INSIDE"

// TestMain runs the tests with a guard: the workers' containers outlive them.
func TestMain(m *testing.M) { os.Exit(guard.Run(m.Run)) }

// TestKills kills commands, supervisors and keepers while workers use one store.
func TestKills(t *testing.T) {
	needs.Root(t, "it makes containers")
	needs.File(t, "/bin/busybox", "busybox-static")
	program := needs.Built(t, *judged)
	if os.Getenv(inside) == "" {
		within(t)
		return
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("%d kills, %d workers, seed %d", *kills, *workers, *seed)
	m := newMachine(t, program)
	m.life()
	m.empty()
	before := m.look()
	m.work()
	m.killBuilds()
	m.empty()
	if left := m.processes(); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
	for _, line := range m.more(before) {
		t.Errorf("left: %s", line)
	}
	m.close()
	if t.Failed() {
		t.Logf("this was seed %d", *seed)
	}
}

// within runs this test again, with mounts and a network of its own.
func within(t *testing.T) {
	t.Helper()
	args := []string{"-test.run=^TestKills$", "-test.v", "-test.timeout=0", "-kills", strconv.Itoa(*kills), "-seed", strconv.FormatUint(*seed, 10), "-workers", strconv.Itoa(*workers), "-davit-shim", *judged}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
		return
	}
	t.Logf("%s", out)
}

// work has the workers work until enough was killed, and judges what they leave.
func (m *machine) work() {
	m.prepare()
	veteran := m.veteran()
	left := new(atomic.Int64)
	left.Store(int64(*kills / 2))
	k := &killer{machine: m, rand: m.source(0)}
	k.left.Store(int64(*kills - *kills/2))
	stop := make(chan struct{})
	var killing, working sync.WaitGroup
	killing.Go(func() { k.run(stop) })
	var all []*worker
	begin := time.Now()
	for n := range *workers {
		w := &worker{machine: m, rand: m.source(uint64(n + 1)), n: n + 1, left: left, done: map[string]int{}}
		all = append(all, w)
		working.Go(func() {
			for (left.Load() > 0 || k.left.Load() > 0) && !m.t.Failed() {
				w.step()
			}
		})
	}
	working.Wait()
	if m.t.Failed() {
		close(stop)
	}
	killing.Wait()
	m.t.Logf("in %v: %d commands, %d supervisors, %d keepers and %d of both killed", time.Since(begin).Round(time.Millisecond), int64(*kills/2)-max(left.Load(), 0), k.kept, k.only, k.both)
	for _, w := range all {
		m.t.Logf("worker %d: %v", w.n, w.done)
		m.judge(w)
	}
	veteran.judge(m)
	m.judgeAll()
	m.judgeStore()
}

// source is a worker's source of chance.
func (m *machine) source(n uint64) *rand.Rand { return rand.New(rand.NewPCG(*seed, n)) }

// blobs are the files of the store's blobs.
func (m *machine) blobs() ([]string, error) {
	return filepath.Glob(filepath.Join(m.root(), "images/blobs/sha256/*"))
}

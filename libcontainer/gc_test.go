package libcontainer

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/state"
)

// kinds lists leftovers as "kind container", without what is the same for all.
func kinds(found []Leftover) string {
	var list []string
	for _, l := range found {
		list = append(list, string(l.Kind)+" "+l.Container)
	}
	return strings.Join(slices.Compact(list), ", ")
}

// collected removes leftovers and compares what they were.
func (b *box) collected(want string) {
	b.t.Helper()
	for _, collect := range []func() ([]Leftover, error){b.runtime.Leftovers, b.runtime.RemoveLeftovers} {
		found, err := collect()
		if got := kinds(found); got != want || err != nil {
			b.t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
	if found, err := b.runtime.Leftovers(); len(found) > 0 || err != nil {
		b.t.Errorf("again: %v, %v", found, err)
	}
}

// killedCreator runs a creator in another process and kills it when a hook
// says that the container is half made.
func (b *box) killedCreator(id string) {
	b.t.Helper()
	fifo := filepath.Join(b.dir, "reached")
	b.must(unix.Mkfifo(fifo, 0o600))
	defer os.Remove(fifo)
	b.config.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo > " + fifo + "; exec sleep 1000"}}}}
	_, err := b.load()
	b.must(err)
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestCreatorHelper$")
	cmd.Env = append(os.Environ(), "GC_BUNDLE="+b.dir, "GC_ID="+id)
	b.must(cmd.Start())
	reached, err := os.OpenFile(fifo, os.O_RDWR, 0)
	b.must(err)
	defer reached.Close()
	_, err = bufio.NewReader(reached).ReadString('\n')
	b.must(err)
	hook := children(b.t, cmd.Process.Pid, "sleep")
	b.must(cmd.Process.Kill())
	cmd.Wait()
	for _, pid := range hook {
		unix.Kill(pid, unix.SIGKILL)
	}
	b.config.Hooks = nil
}

// children finds the processes below one that execute a program.
func children(t *testing.T, parent int, name string) (found []int) {
	t.Helper()
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	for _, task := range tasks {
		more, _ := os.ReadFile(task)
		data = append(data, more...)
	}
	for _, field := range strings.Fields(string(data)) {
		comm, _ := os.ReadFile("/proc/" + field + "/comm")
		if pid := 0; strings.TrimSpace(string(comm)) == name || strings.TrimSpace(string(comm)) == "sh" {
			fmt.Sscan(field, &pid)
			found = append(found, pid)
		}
	}
	return found
}

// TestCreatorHelper is no test: it creates a container for killedCreator.
func TestCreatorHelper(t *testing.T) {
	dir := os.Getenv("GC_BUNDLE")
	if dir == "" {
		return
	}
	bundle, err := LoadBundle(dir, "")
	if err == nil {
		_, err = (&Runtime{Root: filepath.Join(dir, "state")}).Create(os.Getenv("GC_ID"), bundle, CreateOptions{StartLater: true})
	}
	t.Fatalf("not killed: %v", err)
}

func TestKilledCreatorIsCollected(t *testing.T) {
	forEachUserNS(t, func(b *box) {
		b.killedCreator("half")
		b.collected("state half, cgroup half")
		if left := b.remains(); left != "" {
			b.t.Errorf("left behind:\n%s", left)
		}
	})
}

// What is whole, in any status, and what is being made stays.
func TestOwnedIsNotCollected(t *testing.T) {
	b := newBox(t)
	c := b.running()
	b.collected("")
	b.must(c.Signal(unix.SIGKILL))
	_, err := c.Wait()
	b.must(err)
	b.collected("")
	b.expect(Stopped)

	b.must(os.MkdirAll(b.runtime.Root, 0o711))
	making, err := state.Create(b.runtime.Root, "making", &state.State{ID: "making", Phase: state.Creating, CreatorPid: 1 << 30})
	b.must(err)
	found, err := b.runtime.Leftovers()
	if kinds(found) != "" || err == nil { // its cgroup cannot be read
		t.Errorf("locked: %v, %v", found, err)
	}
	b.must(making.Close())
	found, err = b.runtime.Leftovers()
	if kinds(found) != "" || err == nil {
		t.Errorf("unlocked: %v, %v", found, err)
	}
	b.must(os.RemoveAll(filepath.Join(b.runtime.Root, "making")))

	incomplete := filepath.Join(b.runtime.Root, "incomplete")
	b.must(os.Mkdir(incomplete, 0o700))
	held, err := os.Open(incomplete)
	b.must(err)
	b.must(unix.Flock(int(held.Fd()), unix.LOCK_EX))
	b.collected("")
	b.must(held.Close())
	b.collected("state incomplete")
}

// A dead creator's container whose cgroup became another's is left alone.
func TestSharedCgroupIsNotCollected(t *testing.T) {
	b := newBox(t)
	c := b.running()
	dead := *c.state
	dead.ID, dead.Phase, dead.Pid, dead.CreatorPid = "dead", state.Creating, 0, 1<<30
	dir, err := state.Create(b.runtime.Root, "dead", &dead)
	b.must(err)
	b.must(dir.Close())
	found, err := b.runtime.RemoveLeftovers()
	if len(found) != 0 || err == nil || !strings.Contains(err.Error(), "leaving container dead: container box is in its cgroup") {
		t.Errorf("got %v, %v", found, err)
	}
	b.expect(Running)
	b.must(os.RemoveAll(filepath.Join(b.runtime.Root, "dead")))
}

func TestUnusedFiltersAreCollected(t *testing.T) {
	b := newBox(t)
	profile := func(action specs.LinuxSeccompAction) *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{DefaultAction: action, Syscalls: []specs.LinuxSyscall{{Names: []string{"getcwd"}, Action: specs.ActErrno}}}
	}
	b.must(state.MakeRoot(b.runtime.Root))
	b.config.Linux.Seccomp = profile(specs.ActLog)
	b.succeeds("true")
	b.config.Linux.Seccomp = profile(specs.ActAllow)
	c := b.running()
	if entries, _ := os.ReadDir(b.runtime.cacheDir()); len(entries) != 2 {
		t.Fatalf("the cache has %v", entries)
	}
	b.collected("filter ")
	if entries, _ := os.ReadDir(b.runtime.cacheDir()); len(entries) != 1 {
		t.Errorf("the cache has %v", entries)
	}
	b.execs(c, "true")
}

// Creators and collectors at the same time: every container is made.
func TestCollectDuringCreation(t *testing.T) {
	b := newBox(t)
	b.must(state.MakeRoot(b.runtime.Root))
	cgroup := []byte(`{"driver":"disabled"}`)
	done := make(chan error)
	go func() {
		for i := range 200 {
			dir, err := state.Create(b.runtime.Root, fmt.Sprint("box", i), &state.State{ID: fmt.Sprint("box", i), Phase: state.Created, Cgroup: cgroup, Config: []byte("{}")})
			if err == nil {
				err = dir.Remove()
			}
			if err != nil {
				done <- fmt.Errorf("container %d: %w", i, err)
				return
			}
		}
		done <- nil
	}()
	for {
		select {
		case err := <-done:
			b.must(err)
			return
		default:
			if _, err := b.runtime.RemoveLeftovers(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestCollectNowhere(t *testing.T) {
	rt := &Runtime{Root: filepath.Join(t.TempDir(), "none")}
	if _, err := rt.Leftovers(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

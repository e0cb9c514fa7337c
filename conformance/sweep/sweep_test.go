package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/internal/offspring"
	"github.com/davit-containers/davit/conformance/internal/view"
	"github.com/davit-containers/davit/conformance/needs"
)

// every is the step of the bounded sweep: about 100 kills, in half a minute.
const every = 307

// TestSweep kills davit at some of its calls, others each time; the whole sweep
// is a program of its own.
func TestSweep(t *testing.T) {
	davit := needDavit(t)
	first := 1 + rand.IntN(every)
	t.Logf("go run ./conformance/sweep -first %d -every %d davit=bin/davit", first, every)
	kills := 0
	for v, kinds := range map[view.View][]string{view.Host: {"full", "host-pid"}, view.V2: {"full", "host-mnt"}} {
		o := options{first: first, every: every, runtime: davit, kinds: kinds, scenarios: names(scenarios), views: []view.View{v}}
		err := o.sweep(t.Context(), func(r row) {
			kills += r.killed
			for _, failure := range r.failures {
				t.Errorf("%s, container %s: %s", r.view.Title(), r.kind, failure)
			}
		})
		if err != nil {
			t.Error(err)
		}
	}
	if kills < 40 {
		t.Errorf("davit was killed %d times: that is no sweep", kills)
	}
}

// needDavit is the built davit. The test is skipped where containers cannot be made.
func needDavit(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a sweep takes half a minute: not with -short")
	}
	needs.Root(t, "it makes containers and changes mounts")
	return needs.Built(t, "../../bin/davit")
}

// TestTracerCountsAndKills follows a shell that starts two programs.
func TestTracerCountsAndKills(t *testing.T) {
	l := testLauncher(t)
	argv := []string{"/bin/sh", "-c", "/bin/true; /bin/echo done; exit 3"}
	whole, o, err := l.runKilled(argv, never)
	if err != nil || o.status.ExitStatus() != 3 || o.stdout != "done" {
		t.Fatalf("a command that is not killed: %v, %+v", err, o)
	}
	if whole.calls < 60 || whole.killed.call != 0 {
		t.Fatalf("a shell with two programs made %d calls, and was killed %v", whole.calls, whole.killed)
	}
	for _, at := range []int{1, 2, whole.calls / 2, whole.calls} {
		killed, o, err := l.runKilled(argv, at)
		if err != nil || !o.status.Signaled() || killed.killed.call != at || killed.calls != at {
			t.Errorf("killed at call %d: %v, %+v, after %d calls", at, err, o, killed.calls)
		}
		if err := offspring.AwaitEnd(l.grace); err != nil {
			t.Errorf("killed at call %d: %v", at, err)
		}
	}
}

// TestTracerReleasesWhatIsLeft lets a child of the killed command go on.
func TestTracerReleasesWhatIsLeft(t *testing.T) {
	l := testLauncher(t)
	file := filepath.Join(t.TempDir(), "written")
	killed, _, err := l.runKilled([]string{"/bin/sh", "-c", "(read line; echo survived >" + file + ") </dev/zero & head -c 0 /dev/zero; kill -KILL $$"}, never)
	if err != nil || killed.killed.call != 0 {
		t.Fatal(err)
	}
	left := offspring.All()
	if len(left) != 1 || offspring.Name(left[0]) != "sh" {
		t.Fatalf("left are %v", left)
	}
	status, err := os.ReadFile("/proc/" + strconv.Itoa(left[0]) + "/status")
	if err != nil || !strings.Contains(string(status), "TracerPid:\t0\n") {
		t.Errorf("still traced: %v, %s", err, status)
	}
	names := offspring.KillAll()
	if err := offspring.AwaitEnd(l.grace); err != nil || len(names) != 1 {
		t.Errorf("killing %v: %v", names, err)
	}
}

// testLauncher is a launcher on the test's own thread.
func testLauncher(t *testing.T) *launcher {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	l, err := newLauncher(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return l
}

// TestSweepFinds looks at runtimes that lie and litter: davit, with one thing
// added.
func TestSweepFinds(t *testing.T) {
	davit := needDavit(t)
	tests := []struct {
		name, script, want string
	}{
		{"nothing added", `exec DAVIT "$@"`, ""},
		{"a file is left", `DAVIT "$@"; s=$?; case "$*" in *" delete "*) touch $2/$$;; esac; exit $s`, "left behind: file "},
		{"a cgroup is left", `DAVIT "$@"; s=$?; case "$*" in *" delete "*) for id; do :; done; mkdir /sys/fs/cgroup/devices/$id-$$ 2>/dev/null || mkdir /sys/fs/cgroup/$id-$$;; esac; exit $s`, "left behind: cgroup "},
		{"a mount is left", `DAVIT "$@"; s=$?; case "$*" in *" delete "*) mount --bind /usr /mnt;; esac; exit $s`, "left behind: mount "},
		{"a process is left", `case "$*" in *" delete "*) sleep 1000 & esac; exec DAVIT "$@"`, "processes are left"},
		{"delete --force complains", `case "$*" in *" delete "*) echo hm >&2;; esac; exec DAVIT "$@"`, "delete --force: exit status 0: hm"},
		{"state says running", `case "$*" in *" state "*) s=$(DAVIT "$@") || exit; echo "$s" | sed 's/"created",/"running",/';; *) exec DAVIT "$@";; esac`, "that is not the container's program"},
		{"state says stopped", `case "$*" in *" state "*) s=$(DAVIT "$@") || exit; echo "$s" | sed s/running/stopped/;; *) exec DAVIT "$@";; esac`, "and the container's program runs"},
		{"list forgets", `case "$*" in *" list "*) echo null;; *) exec DAVIT "$@";; esac`, "then list nothing"},
		{"created and does not start", `case "$*" in *" start "*) [ -f $2.first ] && exit 1; touch $2.first;; esac; exec DAVIT "$@"`, "start of the created container"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "runtime")
			script := "#!/bin/sh\n" + strings.ReplaceAll(tt.script, "DAVIT", davit) + "\n"
			if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(removeCgroups)
			err := view.In(view.Host, func(dir string) error { return judgeOnce(dir, program) })
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestPasses(t *testing.T) {
	tests := map[string]bool{
		"created running stopped": true, "created stopped stopped": true, "creating created running": true,
		"created nothing created": false, "stopped running stopped": false, "running created running": false,
	}
	for states, want := range tests {
		words := strings.Fields(states)
		if got := passes(words...); got != want {
			t.Errorf("%s: got %v, want %v", states, got, want)
		}
	}
}

// removeCgroups removes what the second of those runtimes leaves.
func removeCgroups() {
	for _, pattern := range []string{"/sys/fs/cgroup/sweep-%d-*", "/sys/fs/cgroup/devices/sweep-%d-*"} {
		left, _ := filepath.Glob(fmt.Sprintf(pattern, os.Getpid()))
		for _, dir := range left {
			_ = os.Remove(dir)
		}
	}
}

// judgeOnce judges a runtime after a create and after a start that nobody kills.
func judgeOnce(dir, program string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	s, err := newSweep(dir, program, kinds[0])
	if err != nil {
		return err
	}
	defer s.close()
	s.grace = time.Second
	for _, sc := range scenarios[:2] {
		if _, err := s.point(sc, never); err != nil {
			s.tidy()
			return err
		}
	}
	return nil
}

package hook

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// sh is a hook that runs a shell script, with the arguments after it.
func sh(script string, args ...string) specs.Hook {
	return specs.Hook{Path: "/bin/sh", Args: append([]string{"sh", "-c", script, "sh"}, args...)}
}

func timeout(h specs.Hook, seconds int) specs.Hook {
	h.Timeout = &seconds
	return h
}

func TestHookGets(t *testing.T) {
	t.Setenv("OF_THE_RUNTIME", "1")
	t.Setenv("LD_PRELOAD", "/nonexistent/evil.so")
	large := strings.Repeat("0123456789", 50_000)
	tests := []struct{ name, script, state, want string }{
		{"the state as its input", `cat >"$1"`, `{"id":"box"}`, `{"id":"box"}`},
		{"a state larger than a pipe", `cat >"$1"`, large, large},
		{"no state", `cat >"$1"; echo end >>"$1"`, "", "end\n"},
		{"the bundle as its directory", `pwd >"$1"`, "{}", "/usr\n"},
		{"its environment only", `env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= >"$1"`, "{}", "A=b\n"},
		{"a group of its own", `test "$(ps -o pgid= -p $$ | tr -d ' ')" = $$ && echo own >"$1"`, "{}", "own\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			h := sh(tt.script, out)
			h.Env = []string{"A=b"}
			if err := Run(t.Context(), "createRuntime", []specs.Hook{h}, []byte(tt.state), Options{Dir: "/usr"}); err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(out); string(got) != tt.want {
				t.Errorf("got %.200q, want %.200q", got, tt.want)
			}
		})
	}
}

// CVE-2025-23266: a hook must not be loaded with a library that the image
// names. Nothing of the container's is in reach here; what can be shown is that
// a hook with an environment, an empty one included, has nothing beside it.
func TestHookEnvironment(t *testing.T) {
	t.Setenv("OF_THE_RUNTIME", "1")
	tests := []struct {
		name string
		env  []string
		want string
	}{
		{"named", []string{"OF_THE_RUNTIME=2"}, "2"},
		{"named empty", []string{}, ""},
		{"not named", nil, "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := sh(`test "$OF_THE_RUNTIME" = "$1"`, tt.want)
			h.Env = tt.env
			if err := Run(t.Context(), "poststart", []specs.Hook{h}, nil, Options{}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHookErrors(t *testing.T) {
	tests := []struct {
		name string
		hook specs.Hook
		want string
	}{
		{"exit status", sh("exit 3"), "/bin/sh: exit status 3, stdout: , stderr: "},
		{"output", sh(`echo out; echo "two	lines" >&2; printf '\033é\377\n' >&2; false`),
			`/bin/sh: exit status 1, stdout: out, stderr: two\tlines\n\x1bé` + "\uFFFD"},
		{"signal", sh("kill -TERM $$"), "/bin/sh: signal: terminated, stdout: , stderr: "},
		{"input is not read", sh("exec <&-; exit 1"), "/bin/sh: exit status 1, stdout: , stderr: "},
		{"missing", specs.Hook{Path: "/nonexistent"}, "/nonexistent: fork/exec /nonexistent: no such file or directory"},
		{"not executable", specs.Hook{Path: "/etc/passwd"}, "/etc/passwd: fork/exec /etc/passwd: permission denied"},
		{"timeout", timeout(sh("exec sleep 100"), 0), "/bin/sh: hook ran past specified timeout of 0.0s"},
		{"timeout of its children", timeout(sh("sleep 100 & wait"), 1), "/bin/sh: hook ran past specified timeout of 1.0s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hooks := []specs.Hook{sh("exit 0"), tt.hook, sh("echo must not run >&2; exit 9")}
			err := Run(t.Context(), "createRuntime", hooks, []byte("{}"), Options{Dir: "/"})
			if want := "error running createRuntime hook #1: " + tt.want; err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// A timeout is any number of seconds, also one that no duration holds.
func TestLongTimeout(t *testing.T) {
	for _, seconds := range []int{1 << 31, 1 << 34, math.MaxInt} {
		if err := Run(t.Context(), "prestart", []specs.Hook{timeout(sh("sleep 0.1"), seconds)}, nil, Options{}); err != nil {
			t.Errorf("%d seconds: %v", seconds, err)
		}
	}
}

func TestHookWithoutArgs(t *testing.T) {
	if err := Run(t.Context(), "prestart", []specs.Hook{{Path: "/bin/true"}}, nil, Options{}); err != nil {
		t.Error(err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	err := Run(t.Context(), "poststart", []specs.Hook{sh("head -c 1000000 /dev/zero | tr '\\0' x; exit 1")}, nil, Options{})
	if err == nil || len(err.Error()) > sinkSize+200 || !strings.Contains(err.Error(), "x [and 934464 bytes more], stderr: ") {
		t.Errorf("got %d bytes", len(err.Error()))
	}
}

// A daemon that the hook leaves behind keeps the pipes open, and prints.
func TestDaemonIsNotWaitedFor(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	for name, daemon := range map[string]string{"quiet": "sleep 100", "noisy": "yes"} {
		t.Run(name, func(t *testing.T) {
			h := timeout(sh(`setsid `+daemon+` & echo $! >"$1"; echo started; exit 1`, pidFile), 50)
			began := time.Now()
			err := Run(t.Context(), "createRuntime", []specs.Hook{h}, nil, Options{})
			if err == nil || !strings.Contains(err.Error(), "started") && name == "quiet" {
				t.Errorf("got %v", err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("waited %v", took)
			}
			killFromFile(t, pidFile)
		})
	}
}

func killFromFile(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kill := sh(`kill -KILL $1`, strings.TrimSpace(string(data)))
	if err := Run(t.Context(), "test", []specs.Hook{kill}, nil, Options{}); err != nil {
		t.Log(err) // a noisy one ends by itself, of SIGPIPE
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		os.ReadFile(fifo) // returns when the hook runs
		cancel()
	}()
	err := Run(ctx, "createRuntime", []specs.Hook{sh(`echo >"$1"; exec sleep 100`, fifo)}, nil, Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRunAll(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	hooks := []specs.Hook{sh("exit 1"), sh(`echo ran >"$1"`, out), sh("exit 2")}
	var got []string
	for _, err := range RunAll(t.Context(), "poststop", hooks, nil, Options{}) {
		got = append(got, err.Error())
	}
	want := []string{
		"error running poststop hook #0: /bin/sh: exit status 1, stdout: , stderr: ",
		"error running poststop hook #2: /bin/sh: exit status 2, stdout: , stderr: ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := os.Stat(out); err != nil {
		t.Error(err)
	}
}

// CVE-2024-21626: what our caller left open is not for hooks.
func TestCallersDescriptors(t *testing.T) {
	fd, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0) // without close-on-exec
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	out := filepath.Join(t.TempDir(), "out")
	list := sh(`readlink /proc/self/fd/* >"$1"; true`, out)
	if err := Run(t.Context(), "prestart", []specs.Hook{list}, nil, Options{}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out); len(got) == 0 || strings.Contains(string(got), "/etc/passwd") {
		t.Errorf("the hook has %s, %v", got, err)
	}
}

func TestNothingIsLeaked(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	hooks := []specs.Hook{sh("echo x"), sh("exit 1"), timeout(sh("sleep 9"), 0), {Path: "/nonexistent"}}
	RunAll(t.Context(), "poststop", hooks[:1], nil, Options{})
	before := count()
	RunAll(t.Context(), "poststop", hooks, []byte("{}"), Options{})
	if after := count(); after != before {
		t.Errorf("%d descriptors leaked", after-before)
	}
}

func TestNoHooksCostNothing(t *testing.T) {
	if n := testing.AllocsPerRun(10, func() { Run(t.Context(), "poststart", nil, nil, Options{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

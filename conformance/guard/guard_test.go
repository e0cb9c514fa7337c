package guard

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// ending says in which way TestVictim ends.
const ending = "DAVIT_TEST_ENDING"

func TestMain(m *testing.M) { os.Exit(Run(m.Run)) }

// TestVictim leaves a process in a cgroup, and files, and ends in some way.
func TestVictim(t *testing.T) {
	how := os.Getenv(ending)
	if how == "" {
		return // TestGuard runs it
	}
	cgroup := filepath.Join(hierarchies, "pids", Name()+"victim")
	if !exists(filepath.Dir(cgroup)) {
		cgroup = filepath.Join(hierarchies, Name()+"victim")
	}
	if err := os.MkdirAll(filepath.Join(cgroup, "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := Memory()
	if err != nil {
		t.Fatal(err)
	}
	sleep := exec.Command("setsid", "sh", "-c", "echo $$ >cgroup.procs; echo $$; exec sleep 1000 >&-")
	sleep.Dir = filepath.Join(cgroup, "below")
	out, err := sleep.StdoutPipe()
	if err == nil {
		err = sleep.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	pid, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("left", cgroup, dir, t.TempDir(), "/proc/"+pid)
	switch how {
	case "panic":
		panic("ends")
	case "kill":
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	}
	<-t.Context().Done() // "time-out" and "caller"
}

// TestGuard has tests end in several ways, of which nothing is left.
func TestGuard(t *testing.T) {
	needs.Root(t, "a cgroup is made")
	for _, how := range []string{"panic", "kill", "time-out", "caller"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestVictim$", "-test.timeout=3s")
			if how == "caller" {
				cmd.Args = append(cmd.Args, "-test.timeout=1h")
			}
			cmd.Env = append(without(role, name), ending+"="+how)
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(out)
			line, _ := lines.ReadString('\n')
			left := strings.Fields(strings.TrimPrefix(line, "left"))
			if len(left) != 4 {
				t.Fatalf("got %q", line)
			}
			if how == "caller" {
				_ = cmd.Process.Kill()
			}
			_, _ = io.Copy(io.Discard, lines) // as long as there is a guard
			if err := cmd.Wait(); err == nil {
				t.Error("the tests have not failed")
			}
			for _, path := range left {
				if exists(path) {
					t.Errorf("%s is left", path)
				}
			}
		})
	}
}

// without is the environment without some variables.
func without(names ...string) []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(names, name)
	})
}

// Without a guard, names are the process's own.
func TestName(t *testing.T) {
	t.Setenv(name, "")
	if got, want := Name(), "davit-"+strconv.Itoa(os.Getpid())+"-"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

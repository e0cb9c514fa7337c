package container

import (
	"bufio"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// victimVar has the test's program make, rename and remove containers until it is
// killed.
const victimVar = "DAVIT_TEST_VICTIM"

func TestMain(m *testing.M) {
	if root := os.Getenv(victimVar); root != "" {
		os.Exit(victim(root))
	}
	os.Exit(m.Run())
}

func victim(root string) int {
	s, err := Open(root)
	if err != nil {
		return 1
	}
	os.Stdout.WriteString("begun\n")
	for {
		l, err := s.Create(Config{Name: "first"})
		if err == nil {
			err = l.Ready()
		}
		if err == nil {
			err = l.Rename("second")
		}
		if err == nil {
			err = l.Hide()
		}
		if err == nil {
			err = l.Remove()
		}
		if err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			return 1
		}
	}
}

// Whenever a process is killed, what it left is whole, or is handed over, and in
// nobody's way.
func TestKilled(t *testing.T) {
	s := open(t)
	for round := range 100 {
		s.kill(t, time.Duration(rand.IntN(4000))*time.Microsecond)
		list, err := s.List()
		if err != nil || len(list) > 1 {
			t.Fatalf("round %d: %d containers, %v", round, len(list), err)
		}
		for _, c := range list {
			found, err := s.Find(c.Config.Name)
			if err != nil || found.Config.ID != c.Config.ID {
				t.Fatalf("round %d: container %s is not found by its name %s: %v", round, c.Config.ID, c.Config.Name, err)
			}
			if st, err := c.State(); err != nil || st.Status != Created {
				t.Fatalf("round %d: state %+v, %v", round, st, err)
			}
			remove(t, c)
		}
		left, err := s.Leftovers()
		if err != nil || len(left)+len(list) > 1 {
			t.Fatalf("round %d: %d left over, %v", round, len(left), err)
		}
		for _, l := range left {
			if err := l.Remove(); err != nil {
				t.Fatal(err)
			}
		}
		if ids, _ := s.ids(); len(ids) != 0 {
			t.Fatalf("round %d: left: %v", round, ids)
		}
	}
}

// kill starts a victim, and kills it after a time.
func (s *Store) kill(t *testing.T, after time.Duration) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), victimVar+"="+s.Root())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.Exited() {
		t.Fatalf("the victim failed: %v", err)
	}
}

func remove(t *testing.T, c *Container) {
	t.Helper()
	l, err := c.Lock()
	if err == nil {
		err = l.Remove()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func itoa(fd uintptr) string { return strconv.Itoa(int(fd)) }

func dup(t *testing.T, f *os.File) *os.File {
	t.Helper()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), f.Name())
}

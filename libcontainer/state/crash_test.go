package state

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
)

// TestKilled kills a process that creates, saves and removes one container
// over and over, and looks at what it left: a whole state, an incomplete one,
// or nothing, and each can be removed.
func TestKilled(t *testing.T) {
	if root := os.Getenv("STATE_CHURN"); root != "" {
		churn(root)
		return
	}
	root := t.TempDir()
	found := map[string]int{}
	for round := range 20 {
		runAndKill(t, root, round)
		d, _, err := openLocked(root, "box")
		switch {
		case err == ErrNotExist:
			found["nothing"]++
			continue
		case errors.Is(err, ErrIncomplete):
			found["incomplete"]++
		case err == nil:
			found["whole"]++
		default:
			t.Fatal(err)
		}
		if err := d.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	t.Log(found)
	if entries, err := os.ReadDir(root); len(entries) != 0 || err != nil {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

// runAndKill kills the churning process after some of its steps.
func runAndKill(t *testing.T, root string, steps int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "STATE_CHURN="+root)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1+steps)); err != nil {
		t.Error(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
}

func churn(root string) {
	s := full()
	s.Config = make([]byte, 64<<10)
	for {
		d, err := Create(root, "box", s)
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString(".")
		for range 3 {
			if err := d.Save(s); err != nil {
				panic(err)
			}
			os.Stdout.WriteString(".")
		}
		if err := d.Remove(); err != nil {
			panic(err)
		}
		os.Stdout.WriteString(".")
	}
}

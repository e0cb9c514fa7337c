package rootless

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// namespaces tells which the program is in, and waits for the end of its input.
func namespaces() error {
	user, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		return err
	}
	mnt, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return err
	}
	fmt.Println(user, mnt, os.Getpid())
	if err := who(); err != nil {
		return err
	}
	return forever()
}

// companion is a program that goes on, and is noted.
type companion struct {
	cmd            *exec.Cmd
	user, mnt, who string
	pid            int // in the namespace
	end            func() error
}

func startCompanion(t *testing.T, notes string) *companion {
	t.Helper()
	cmd := command(t, "namespaces")
	cmd.Env = append(cmd.Env, notesVar+"="+notes)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	c := &companion{cmd: cmd, end: func() error { in.Close(); return cmd.Wait() }}
	if _, err := fmt.Sscan(lines.Text(), &c.user, &c.mnt, &c.pid); err != nil {
		t.Errorf("%q: %v", lines.Text(), err)
	}
	lines.Scan()
	c.who = lines.Text()
	return c
}

// TestUserShares has programs of a user in one user namespace while any of them lives,
// each with mounts of its own, and in another one after that.
func TestUserShares(t *testing.T) {
	notes := filepath.Join(t.TempDir(), "notes")
	first := startCompanion(t, notes)
	second := startCompanion(t, notes)
	if first.user != second.user || first.mnt == second.mnt || first.user == "" {
		t.Errorf("first %+v, second %+v", first, second)
	}
	if first.who != second.who || !strings.Contains(second.who, "euid 0 ") || !strings.Contains(second.who, "admin true stage false") || !strings.HasSuffix(second.who, "others []") {
		t.Errorf("first is %s, second %s", first.who, second.who)
	}
	if err := first.end(); err != nil {
		t.Error(err)
	}
	third := startCompanion(t, notes)
	if third.user != second.user {
		t.Errorf("second %+v, third %+v", second, third)
	}
	for _, c := range []*companion{second, third} {
		if err := c.end(); err != nil {
			t.Error(err)
		}
	}
	if left, _ := filepath.Glob(notes + "/*-*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestUserSharesAtOnce has programs begin at the same time, and one end badly.
func TestUserSharesAtOnce(t *testing.T) {
	command(t) // skips where there is no user
	notes := filepath.Join(t.TempDir(), "notes")
	const n = 5
	all := make(chan *companion, n)
	for range n {
		go func() { all <- startCompanion(t, notes) }()
	}
	first := <-all
	for range n - 1 {
		c := <-all
		if c.user != first.user {
			t.Errorf("%s, and %s", c.user, first.user)
		}
		defer c.end()
	}
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.cmd.Wait() // it was killed
	late := startCompanion(t, notes)
	if late.user != first.user {
		t.Errorf("%s, and %s", late.user, first.user)
	}
	if err := late.end(); err != nil {
		t.Error(err)
	}
}

// TestUserNotesOfOthers has notes of processes that are not the user's, or not those
// that were meant, of no use.
func TestUserNotesOfOthers(t *testing.T) {
	notes := filepath.Join(t.TempDir(), "notes")
	command(t) // skips where there is no user
	if err := os.MkdirAll(notes, 0o700); err != nil {
		t.Fatal(err)
	}
	start, err := startOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	other := startCompanion(t, filepath.Join(t.TempDir(), "notes"))
	defer other.end()
	names := []string{"1-0", fmt.Sprintf("%d-%s", os.Getpid(), start), fmt.Sprintf("%d-1", other.pid), "x-1", "7"}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(notes, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := startCompanion(t, notes)
	if c.user == other.user || c.user == "" || !strings.Contains(c.who, "admin true") {
		t.Errorf("got %+v, other %+v", c, other)
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
}

package hostproc

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
)

func TestRead(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	row, err := Read(pid, []string{"pid", "ppid", "comm", "s"})
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{strconv.Itoa(pid), strconv.Itoa(os.Getpid()), "cat"}; !slices.Equal(row[:3], want) {
		t.Errorf("%q, and not %q", row, want)
	}
	cmd.Wait()
	if _, err := Read(pid, []string{"pid"}); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("of one that has ended: %v", err)
	}
	if _, err := Read(os.Getpid(), []string{"none"}); err == nil {
		t.Error("a column that there is not")
	}
	for _, name := range Columns() {
		if row, err := Read(os.Getpid(), []string{name}); err != nil || row[0] == "" {
			t.Errorf("%s: %q, %v", name, row, err)
		}
	}
}

// A container's process has any name.
func TestHostileName(t *testing.T) {
	p := process{}
	stat := "7 (a) S 1 2\x1b[2J(\n) R 1 2 3 34816 5 6 7 8 9 10 200 300 13 14 15 0 17 18 100 4096 2"
	if err := p.parse(stat); err != nil {
		t.Fatal(err)
	}
	if p.comm != "a) S 1 2?[2J(?" || p.field(3) != "R" || p.field(4) != "1" || p.tty() != "pts/0" || p.time() != "00:00:05" {
		t.Errorf("%+v, tty %s, time %s", p, p.tty(), p.time())
	}
	for _, bad := range []string{"", "7 (a", "7 (a) R 1", ") ("} {
		if err := p.parse(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

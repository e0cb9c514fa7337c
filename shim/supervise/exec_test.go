package supervise

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/container"
)

// waiting makes a container that runs until it is ended.
func (m *machine) waiting(change func(*container.Config)) (*container.Container, *Client) {
	m.t.Helper()
	c := m.create("read x", func(c *container.Config) {
		c.Interactive = true
		if change != nil {
			change(c)
		}
	})
	return c, m.start(c, false)
}

// exec runs a further process.
func (m *machine) exec(client *Client, p Process, in string) (out, errs string, status int) {
	m.t.Helper()
	p.Input, p.Output = in != "", true
	id, err := client.Exec(context.Background(), p)
	if err != nil {
		m.t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	s := Streams{Stdout: &stdout, Stderr: &stderr}
	if in != "" {
		s.Stdin = strings.NewReader(in)
	}
	if err := client.Attach(context.Background(), AttachOptions{Exec: id, First: true}, s); err != nil {
		m.t.Error(err)
	}
	if status, err = client.WaitExec(context.Background(), id); err != nil {
		m.t.Error(err)
	}
	return stdout.String(), stderr.String(), status
}

func script(text string) Process { return Process{Args: []string{"/bin/sh", "-c", text}} }

func TestExec(t *testing.T) {
	m := newMachine(t)
	_, client := m.waiting(nil)
	out, errs, status := m.exec(client, script("echo out; echo err >&2; exit 3"), "")
	if out != "out\n" || errs != "err\n" || status != 3 {
		t.Errorf("%q, %q, %d", out, errs, status)
	}
	in := strings.Repeat("line\n", 20_000)
	p := script("while read x; do echo $x; done")
	if out, _, status := m.exec(client, p, in); out != in || status != 0 {
		t.Errorf("%d bytes of %d, status %d", len(out), len(in), status)
	}
	p = script("echo $A $B; pwd")
	p.Env, p.Dir = []string{"A=1"}, "/tmp"
	if out, _, _ := m.exec(client, p, ""); out != "1\n/tmp\n" {
		t.Errorf("%q", out)
	}
	p = script("[ -t 0 ] && [ -t 1 ] && echo terminal $TERM")
	p.Terminal = true
	if out, _, _ := m.exec(client, p, ""); out != "terminal xterm\r\n" {
		t.Errorf("%q", out)
	}
}

func TestMerged(t *testing.T) {
	got := merged([]string{"A=1", "B=2"}, []string{"B", "A=3", "C=4", "D"}, true)
	if want := "A=3 TERM=xterm C=4"; strings.Join(got, " ") != want {
		t.Errorf("%q", got)
	}
}

func TestExecFails(t *testing.T) {
	m := newMachine(t)
	_, client := m.waiting(nil)
	var failed *StartError
	_, err := client.Exec(t.Context(), Process{Args: []string{"/bin/none"}, Output: true})
	if !errors.As(err, &failed) || failed.ExitCode() != 127 {
		t.Errorf("%v", err)
	}
	_, err = client.Exec(t.Context(), Process{Args: []string{"/bin/sh"}, User: "nobody-here", Output: true})
	if !errors.As(err, &failed) || failed.ExitCode() != 125 {
		t.Errorf("%v", err)
	}
	if err := client.Kill(t.Context(), unix.SIGKILL); err != nil {
		t.Error(err)
	}
	if status, err := client.Wait(t.Context()); status != 137 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
	if _, err := client.Exec(t.Context(), Process{Args: []string{"/bin/sh"}}); err == nil {
		t.Error("a process was started in a container that has ended")
	}
}

package logs

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// withJournal runs the test of this name in a mount namespace with a journal of
// its own, and says whether this is there.
func withJournal(t *testing.T) (inside bool) {
	t.Helper()
	needs.Root(t, "it runs systemd-journald")
	needs.Program(t, "journalctl")
	const journald = "/lib/systemd/systemd-journald"
	needs.File(t, journald, "systemd")
	const name = "DAVIT_TEST_JOURNAL"
	if os.Getenv(name) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), name+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return false
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	for _, dir := range []string{"/run", "/var/log"} {
		check(unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	}
	check(os.MkdirAll("/run/systemd/journal", 0o755))
	check(os.MkdirAll("/run/systemd/journald.conf.d", 0o755))
	check(os.WriteFile("/run/systemd/journald.conf.d/test.conf", []byte("[Journal]\nRateLimitBurst=0\nReadKMsg=no\nForwardToSyslog=no\n"), 0o644))
	ready := journalAt(t, "/run/ready") // takes systemd's messages as well
	cmd := exec.Command(journald)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET=/run/ready")
	check(cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	check(ready.SetReadDeadline(time.Now().Add(time.Minute)))
	for text := make([]byte, 4096); ; {
		n, err := ready.Read(text)
		check(err)
		if strings.Contains(string(text[:n]), "READY=1") {
			return true
		}
	}
}

// What goes through systemd's own journal comes back byte for byte.
func TestJournal(t *testing.T) {
	if !withJournal(t) {
		return
	}
	id := strings.Repeat("0123456789abcdef", 4)
	w, _ := newLog(t, Config{Driver: Journald, Journal: Journal{ID: id, Name: "web"}})
	other, _ := newLog(t, Config{Driver: Journald, Journal: Journal{ID: "other"}})
	long := strings.Repeat("long ", 5000)
	stdout := "one\n\n\x00\xff=\n" + long + "\nlast"
	write(t, w, Stdout, stdout)
	write(t, other, Stdout, "not mine\n")
	write(t, w, Stderr, "err\n")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("journalctl", "--sync").Run(); err != nil {
		t.Fatal(err)
	}
	got := func(q Query) (stdout, stderr string) {
		t.Helper()
		var out, err bytes.Buffer
		if err := CopyJournal(t.Context(), id, q, Output{Stdout: &out, Stderr: &err}); err != nil {
			t.Fatal(err)
		}
		return out.String(), err.String()
	}
	if out, err := got(all); out != stdout || err != "err\n" {
		t.Errorf("%d and %d bytes came back as %.60q (%d) and %q", len(stdout), 4, out, len(out), err)
	}
	if out, err := got(Query{Tail: 2}); out != "last" || err != "err\n" {
		t.Errorf("the last two: %.60q and %q", out, err)
	}
	if out, _ := got(Query{Tail: AllLines, Since: time.Now().Add(time.Hour)}); out != "" {
		t.Errorf("of later: %.60q", out)
	}
	if out, _ := got(Query{Tail: AllLines, Until: time.Now().Add(-time.Hour)}); out != "" {
		t.Errorf("of before: %.60q", out)
	}

	ended := make(chan struct{})
	more := make(chan string, 1000)
	done := make(chan error)
	go func() {
		done <- ReadJournal(context.Background(), id, Query{Tail: 1, Follow: true, Ended: ended}, func(r Record) error {
			more <- string(r.Line)
			return nil
		})
	}()
	if line := <-more; line != "last" && line != "err\n" {
		t.Errorf("followed from %q", line)
	}
	write(t, w, Stdout, "followed\n")
	if line := <-more; line != "followed\n" {
		t.Errorf("followed: %q", line)
	}
	for i := range 300 {
		write(t, w, Stdout, fmt.Sprintf("%d\n", i))
	}
	close(ended)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	close(more)
	i := 0
	for line := range more {
		if line != fmt.Sprintf("%d\n", i) {
			t.Fatalf("record %d is %q", i, line)
		}
		i++
	}
	if i != 300 {
		t.Errorf("%d records after the end", i)
	}
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte("A=b\nC\n\x03\x00\x00\x00\x00\x00\x00\x00x\ny\n\n"))
	f.Add([]byte("\n\nA\n\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bufio.NewReader(bytes.NewReader(data))
		for {
			fields, err := readEntry(in)
			if err != nil {
				return
			}
			if len(fields) == 0 {
				t.Fatal("an entry without fields")
			}
		}
	})
}

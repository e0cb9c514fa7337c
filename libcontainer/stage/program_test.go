package stage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/plan"
)

// hook runs a line of shell.
func hook(timeout int, script string, state ...string) plan.Step {
	state = append(state, "", "")
	return step(plan.OpHook, "/bin/sh", []string{"sh", "-c", script}, []string{"PATH=/usr/bin:/bin"}, state[0], state[1], timeout)
}

func TestHook(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	tests := []struct {
		name   string
		hook   plan.Step
		errno  unix.Errno // 0: it succeeds
		note   string     // how the note ends
		within time.Duration
	}{
		{"success", hook(0, "true"), 0, "", patience},
		{"success with output", hook(0, "echo much; echo more >&2"), 0, "", patience},
		{"the state", hook(0, `[ "$(tr -d 0-9)" = '{"pid":}' ]`, `{"pid":`, "}"), 0, "", patience},
		{"exit status", hook(0, "echo why >&2; exit 3"), unix.ECHILD, "why\n\nexit status 3", patience},
		{"signal", hook(0, "kill -9 $$"), unix.ECHILD, "\nsignal 9", patience},
		{"no such program", step(plan.OpHook, "/nonexistent", []string{"x"}, []string{}, "", "", 0), unix.ECHILD, "No such file or directory\nexit status 127", patience},
		{"timeout", hook(1, "echo slow; exec sleep 100"), unix.ETIMEDOUT, "slow\n\nkilled by its timeout", patience},
		{"timeout that is not needed", hook(1<<31-1, "true"), 0, "", patience},
		{"state that is not read", hook(0, "exit 0", large, large), 0, "", patience},
		{"state that is not read in time", hook(1, "exec sleep 100", large, large), unix.ETIMEDOUT, "timeout", patience},
		{"state that is read slowly", hook(0, "sleep 0.2; [ $(wc -c) -gt 2097152 ]", large, large), 0, "", patience},
		{"closed streams", hook(0, "exec <&- >&- 2>&-; sleep 0.2; exit 4", large), unix.ECHILD, "\nexit status 4", patience},
		{"daemon with its streams", hook(0, "sleep 20 & exit 0"), 0, "", 5 * time.Second},
		{"daemon that floods", hook(0, "timeout 8 cat /dev/zero & sleep 0.1; exit 5"), unix.ECHILD, "", 5 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			s := start(t, tt.hook, step(plan.OpSync, "done"))
			if tt.errno == 0 {
				s.expect("sync done")
			} else if note := s.failure(0, tt.errno); !strings.HasSuffix(note, tt.note) {
				t.Errorf("note is %q, want ... %q", note, tt.note)
			}
			if took := time.Since(began); took > tt.within {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// What a hook prints is kept within bounds, and never stops it.
func TestHookOutput(t *testing.T) {
	s := start(t, hook(0, "head -c 10000000 /dev/zero | tr '\\0' y; exit 1"), step(plan.OpSync, "done"))
	note := s.failure(0, unix.ECHILD)
	if len(note) < 1000 || len(note) > 4096 || strings.Trim(note, "y") != "" {
		t.Errorf("the note has %d bytes: %.20q...", len(note), note)
	}
}

// A hook has its streams, and no other descriptor.
func TestHookDescriptors(t *testing.T) {
	s := start(t, hook(0, "ls /proc/self/fd; exit 1"))
	if note := s.failure(0, unix.ECHILD); note != "0\n1\n2\n3\n\nexit status 1" { // 3 is what ls reads
		t.Errorf("the descriptors are %q", note)
	}
}

// printed is what the program printed until its end.
func (s *stage) printed(out *os.File) string {
	s.Helper()
	s.expect("")
	s.exits(0)
	return string(read(s.T, out.Name()))
}

// startIn runs steps with standard output in a file.
func startIn(t *testing.T, steps ...plan.Step) (*stage, *os.File) {
	t.Helper()
	needRoot(t)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	must(t, err)
	t.Cleanup(func() { out.Close() })
	null := open(t, "/dev/null")
	p, err := Start(Launch{Stdio: [3]*os.File{null, out, null}, Plan: encode(t, steps...)})
	must(t, err)
	s := &stage{t, p}
	t.Cleanup(s.end)
	return s, out
}

func TestHome(t *testing.T) {
	const entry = "me:x:1234:1234:Me:/home/me:/bin/sh"
	long := strings.Repeat("long", 5000)
	tests := []struct {
		name   string
		passwd string
		want   string
	}{
		{"entry", "root:x:0:0::/root:/bin/sh\n" + entry + "\n", "/home/me"},
		{"first of two", entry + "\nme2:x:1234:1::/other:\n", "/home/me"},
		{"no newline at the end", "root:x:0:0::/root:/bin/sh\n" + entry, "/home/me"},
		{"after a huge line", long + "\n" + entry + "\n", "/home/me"},
		{"after a huge entry", "me:x:1234:1::/" + long + ":/bin/sh\n" + entry + "\n", "/home/me"},
		{"at the end of a huge line", long + ":" + entry + "\n", "/"},
		{"looks like an entry in a huge line", strings.Repeat("y", 4096) + entry + "\n", "/"},
		{"far down", strings.Repeat("you:x:7:7::/you:\n", 10000) + entry, "/home/me"},
		{"other user", "root:x:0:0::/root:/bin/sh\n", "/"},
		{"few fields", "me:x:1234\nme:x:1234:1234\n:::::\n", "/"},
		{"no directory", "me:x:1234:1234:Me::/bin/sh\n", "/"},
		{"garbage", strings.Repeat("\x00\xff:", 5000), "/"},
		{"empty", "", "/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			must(t, os.Mkdir(root+"/etc", 0o755))
			must(t, os.WriteFile(root+"/etc/passwd", []byte(tt.passwd), 0o644))
			expectHome(t, root, tt.want)
		})
	}
}

func TestHomeWithoutFile(t *testing.T) {
	needRoot(t)
	tests := []struct {
		name string
		make func(path string) error
	}{
		{"missing", func(string) error { return nil }},
		{"fifo", func(path string) error { return unix.Mkfifo(path, 0o644) }},
		{"directory", func(path string) error { return os.Mkdir(path, 0o755) }},
		{"device", func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o644, int(unix.Mkdev(1, 5))) }},
		{"link to itself", func(path string) error { return os.Symlink("passwd", path) }},
		{"link to the host's", func(path string) error { return os.Symlink("../../../../../../etc/passwd", path) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			must(t, os.Mkdir(root+"/etc", 0o755))
			must(t, tt.make(root+"/etc/passwd"))
			expectHome(t, root, "/")
		})
	}
}

func expectHome(t *testing.T, root, want string) {
	t.Helper()
	s, out := startIn(t, step(plan.OpRoot, root, 0), step(plan.OpHome, 1234),
		step(plan.OpFind, "env", "/usr/bin:/bin"), step(plan.OpExec, []string{"env"}, []string{"A=b", "HOME=", "C=d"}))
	if got := s.printed(out); got != "A=b\nHOME="+want+"\nC=d\n" {
		t.Errorf("the environment is %q, want HOME=%s", got, want)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"denied", "directory/prog", "good", "later"} {
		must(t, os.MkdirAll(filepath.Join(dir, sub), 0o755))
	}
	must(t, os.WriteFile(dir+"/denied/prog", []byte("#!/bin/sh\n"), 0o644))
	must(t, os.WriteFile(dir+"/good/prog", []byte("#!/bin/sh\necho good $0\n"), 0o755))
	must(t, os.WriteFile(dir+"/later/prog", []byte("#!/bin/sh\necho later\n"), 0o755))
	long := strings.Repeat("/long", 2000)
	tests := []struct {
		name, program, path string
		errno               unix.Errno // 0: it runs
		want                string     // what it prints, or the note
	}{
		{"first", "prog", "DIR/good:DIR/later", 0, "good DIR/good/prog\n"},
		{"after what cannot be run", "prog", "DIR/denied:DIR/directory:/none:DIR/good", 0, "good DIR/good/prog\n"},
		{"after a path that is too long", "prog", long + ":DIR/good", 0, "good DIR/good/prog\n"},
		{"empty is the working directory", "prog", "/none::DIR/later", 0, "good ./prog\n"},
		{"with a slash", "./prog", "DIR/later", 0, "good ./prog\n"},
		{"denied", "prog", "DIR/denied:/none", unix.EACCES, ""},
		{"only a directory", "prog", "DIR/directory", unix.ENOENT, "$PATH"},
		{"missing", "none", "DIR/good:/none", unix.ENOENT, "$PATH"},
		{"no path", "prog", "", unix.ENOENT, "$PATH"},
		{"no name", "", "DIR/good", unix.ENOENT, "$PATH"},
		{"missing with a slash", "/nonexistent/prog", "DIR/good", unix.ENOENT, ""},
		{"denied with a slash", "DIR/denied/prog", "DIR/good", unix.EACCES, ""},
		{"directory with a slash", "DIR/directory/prog", "DIR/good", unix.EISDIR, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			full := func(s string) string { return strings.ReplaceAll(s, "DIR", dir) }
			s, out := startIn(t, step(plan.OpRoot, dir+"/good", 0),
				step(plan.OpFind, full(tt.program), full(tt.path)), step(plan.OpExec, []string{"prog"}, []string{}))
			if tt.errno != 0 {
				if note := s.failure(1, tt.errno); note != tt.want {
					t.Errorf("note is %q, want %q", note, tt.want)
				}
				return
			}
			if got := s.printed(out); got != full(tt.want) {
				t.Errorf("it prints %q, want %q", got, full(tt.want))
			}
		})
	}
}

// A program that is there but whose interpreter is not is told by the note.
func TestMissingInterpreter(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/script", []byte("#!/nonexistent/sh -x\necho\n"), 0o755))
	s := start(t, step(plan.OpFind, dir+"/script", ""), step(plan.OpExec, []string{"x"}, []string{}))
	if note := s.failure(1, unix.ENOENT); note != "script /nonexistent/sh -x" {
		t.Errorf("note is %q", note)
	}
}

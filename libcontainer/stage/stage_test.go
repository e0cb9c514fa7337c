package stage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/plan"
)

// patience is how long a stage may take for what it should do at once.
const patience = 10 * time.Second

// stage is one that runs, and this end of its conversation.
type stage struct {
	*testing.T
	*Process
}

// start runs the steps.
func start(t *testing.T, steps ...plan.Step) *stage {
	t.Helper()
	return launch(t, encode(t, steps...))
}

// launch runs a wire. The plan's files are the host's proc, and then files.
func launch(t *testing.T, wire []byte, files ...*os.File) *stage {
	t.Helper()
	needRoot(t)
	proc, null := open(t, "/proc"), open(t, "/dev/null")
	p, err := Start(Launch{
		Stdio: [3]*os.File{null, null, null},
		Plan:  wire,
		Files: append([]*os.File{proc}, files...),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t, p}
	t.Cleanup(s.end)
	return s
}

func needRoot(t *testing.T) {
	t.Helper()
	needs.Root(t, "the stage makes namespaces and mounts")
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// end kills the stage where it still runs.
func (s *stage) end() {
	s.Control.Close()
	sys.PidfdSignal(s.Pidfd, unix.SIGKILL)
	sys.PidfdWait(s.Pidfd)
	s.Pidfd.Close()
}

// hear receives one message; "" is the end.
func (s *stage) hear() string {
	s.Helper()
	return hearFrom(s.T, s.Control)
}

func hearFrom(t *testing.T, control *os.File) string {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(control.Fd()), Events: unix.POLLIN}}
	if n, err := sys.RetryValue(func() (int, error) { return unix.Poll(fds, int(patience.Milliseconds())) }); n == 0 {
		t.Fatal("the stage says nothing", err)
	}
	buf := make([]byte, 16<<10)
	n, files, err := sys.Recv(control, buf)
	sys.CloseAll(files)
	if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func (s *stage) expect(want string) {
	s.Helper()
	if got := s.hear(); got != want {
		s.Fatalf("the stage says %q, want %q", got, want)
	}
}

// failure checks the step and the errno of a failure, and gives its note.
func (s *stage) failure(step int, errno unix.Errno) string {
	s.Helper()
	got := s.hear()
	note, ok := strings.CutPrefix(got, fmt.Sprintf("fail %d %d ", step, int(errno)))
	if !ok {
		s.Fatalf("the stage says %q, want fail %d %d (%v)", got, step, int(errno), errno)
	}
	return note
}

func (s *stage) say(word string) {
	s.Helper()
	if err := sys.Send(s.Control, []byte(word)); err != nil {
		s.Fatal(err)
	}
}

// exits waits for the stage's end.
func (s *stage) exits(code int) {
	s.Helper()
	if ended, err := sys.PidfdPoll(s.Pidfd, patience); !ended {
		s.Fatal("the stage does not end", err)
	}
	if exit, err := sys.PidfdWait(s.Pidfd); err != nil || exit.Status() != code {
		s.Errorf("the stage ended with %v, %v, want %d", exit, err, code)
	}
}

func TestHostilePlan(t *testing.T) {
	valid := encode(t, step(plan.OpReady))
	tests := []struct {
		name string
		wire []byte
		want unix.Errno
	}{
		{"empty", nil, unix.EINVAL},
		{"short", valid[:8], unix.EBADMSG},
		{"cut off", valid[:len(valid)-4], unix.EBADMSG},
		{"garbage", []byte(strings.Repeat("garbage!", 1000)), unix.EBADMSG},
		{"unknown operation", append([]byte(nil), append(valid[:16:16], 0xff, 0xff, 0, 0, 0, 0, 0, 0)...), unix.EBADMSG},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := launch(t, tt.wire)
			s.failure(0, tt.want)
			s.exits(125)
		})
	}
}

// A plan without an end is a failure, and so is one without steps.
func TestPlanWithoutExec(t *testing.T) {
	s := start(t)
	s.expect("")
	s.exits(125)
}

func TestClosedAtEverySync(t *testing.T) {
	syncs := []plan.Step{
		step(plan.OpSync, "one"), step(plan.OpTakeTree, "two"), step(plan.OpSync, "three"), step(plan.OpReady),
	}
	for stop := range syncs[:2] {
		s := start(t, syncs...)
		for i := 0; i < stop; i++ {
			s.hear()
			s.say("go")
		}
		s.Control.Close()
		s.exits(125)
	}
	for _, word := range []string{"stop", "g", "gone", "go go go go go go go go go go", "\x00"} {
		s := start(t, step(plan.OpSync, "one"), step(plan.OpReady))
		s.expect("sync one")
		s.say(word)
		s.expect("")
		s.exits(125)
	}
}

func TestFailures(t *testing.T) {
	tests := []struct {
		name string
		step plan.Step
		want unix.Errno
		note string
	}{
		{"no such source", step(plan.OpOpenTree, "/nonexistent/source", 1), unix.ENOENT, ""},
		{"no such file system", step(plan.OpNewFS, "nofs", "nofs", []string{}, 0, ""), unix.ENODEV, ""},
		{"bad option", step(plan.OpNewFS, "tmpfs", "tmpfs", []string{"huh=1"}, 0, ""), unix.EINVAL, "huh=1: tmpfs: Unknown parameter 'huh'"},
		{"not proc", step(plan.OpWriteProc, "../etc/passwd", "x"), unix.EXDEV, ""},
		{"no such sysctl", step(plan.OpWriteProc, "sys/none", "x"), unix.ENOENT, ""},
		{"long program", step(plan.OpFind, strings.Repeat("x", 5000), "/bin"), unix.ENAMETOOLONG, ""},
		{"long filter", step(plan.OpSeccomp, make([]byte, 8*(1<<16+1)), 0, 0), unix.E2BIG, "the filter has more than 4096 instructions"},
		{"unmapped user", step(plan.OpSetns, 0, 0), unix.EINVAL, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, step(plan.OpSync, "one"), step(plan.OpUnshare, unix.CLONE_NEWNS), tt.step)
			s.expect("sync one")
			s.say("go")
			if note := s.failure(2, tt.want); note != tt.note {
				t.Errorf("note is %q, want %q", note, tt.note)
			}
			s.exits(125)
		})
	}
}

// An answer that should have carried a mount is an error of its own.
func TestAnswerWithoutTree(t *testing.T) {
	s := start(t, step(plan.OpTakeTree, "data"))
	s.expect("sync data")
	s.say("go")
	if note := s.failure(0, unix.EBADF); note != "no mount came with the answer" {
		t.Errorf("note is %q", note)
	}
}

// adopt makes the stage's child the stage.
func (s *stage) adopt() {
	s.Helper()
	word, text, _ := strings.Cut(s.hear(), " ")
	pid, err := strconv.Atoi(text)
	if word != "pid" || err != nil {
		s.Fatalf("the stage says %q %q", word, text)
	}
	pidfd, err := sys.PidfdOpen(pid)
	if err != nil {
		s.Fatal(err)
	}
	s.exits(0)
	s.Pidfd.Close()
	s.Pid, s.Pidfd = pid, pidfd
}

func TestFork(t *testing.T) {
	for range 200 {
		s := start(t, step(plan.OpUnshare, unix.CLONE_NEWPID), step(plan.OpFork, 0), step(plan.OpSync, "child"))
		s.adopt()
		fds := []unix.PollFd{{Fd: int32(s.Control.Fd()), Events: unix.POLLIN}}
		if n, _ := unix.Poll(fds, 1); n != 0 {
			t.Fatalf("the child does not wait: it says %q", s.hear())
		}
		s.say("go")
		s.expect("sync child")
		s.Control.Close()
		s.exits(125)
	}
}

// hostsProc tells whether the host's proc is to be had from an open file of
// the stage: one in which this process is.
func (s *stage) hostsProc() bool {
	s.Helper()
	found, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*/%d/comm", s.Pid, os.Getpid()))
	if err != nil {
		s.Fatal(err)
	}
	return len(found) > 0
}

// Once it is seen in the pid namespace it leads to no proc but that one's, and
// writes to itself there.
func TestOwnProc(t *testing.T) {
	s := start(t, step(plan.OpSync, "before"), step(plan.OpUnshare, unix.CLONE_NEWPID|unix.CLONE_NEWNS), step(plan.OpLeaveProc), step(plan.OpFork, 0), step(plan.OpSync, "left"),
		step(plan.OpOwnProc), step(plan.OpWriteProc, "thread-self/comm", "renamed"), step(plan.OpSync, "own"))
	s.expect("sync before")
	if !s.hostsProc() {
		t.Fatal("the host's proc is not found where it is open")
	}
	s.say("go")
	s.adopt()
	s.say("go")
	s.expect("sync left")
	if s.hostsProc() {
		t.Error("the host's proc is open in the child")
	}
	s.say("go")
	s.expect("sync own")
	if s.hostsProc() {
		t.Error("the proc that was opened is the host's")
	}
	if got, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", s.Pid)); string(got) != "renamed\n" {
		t.Errorf("its name is %q", got)
	}
	if found, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*/sysrq-trigger", s.Pid)); len(found) > 0 {
		t.Errorf("the proc that was opened has more than processes: %v", found)
	}
}

// listen starts a stage that waits on a socket, and gives the socket's directory.
func listen(t *testing.T, steps ...plan.Step) (*stage, *os.File) {
	dir := open(t, t.TempDir())
	listener, err := sys.Listen(dir, "start", unix.SOCK_SEQPACKET)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s := launch(t, encode(t, append([]plan.Step{step(plan.OpReady), step(plan.OpAwaitStart, 1)}, steps...)...), listener)
	s.expect("ready")
	s.say("go")
	s.expect("") // it has closed this conversation
	return s, dir
}

func dial(t *testing.T, dir *os.File) *os.File {
	t.Helper()
	control, err := sys.Dial(dir, "start", unix.SOCK_SEQPACKET)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { control.Close() })
	return control
}

func TestAwaitStart(t *testing.T) {
	s, dir := listen(t, step(plan.OpSync, "started"))
	dial(t, dir).Close()
	rude := dial(t, dir)
	sys.Send(rude, []byte("stop"))
	if got := hearFrom(t, rude); got != "" {
		t.Errorf("garbage is answered with %q", got)
	}
	control := dial(t, dir)
	if err := sys.Send(control, []byte("start")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"accepted", "sync started"} {
		if got := hearFrom(t, control); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if _, err := sys.Dial(dir, "start", unix.SOCK_SEQPACKET); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("a caller after the start: got %v", err)
	}
	control.Close()
	s.exits(125)
}

// Of callers at the same time one is accepted, and the others are told at
// once, although the stage has not come to its end.
func TestAwaitStartOnce(t *testing.T) {
	for range 20 {
		_, dir := listen(t, step(plan.OpSync, "started"))
		answers := make(chan string)
		for range 4 {
			go func() { answers <- callStart(dir) }()
		}
		accepted := 0
		for range 4 {
			if answer := <-answers; answer == "accepted" {
				accepted++
			} else if answer != "" {
				t.Errorf("a caller hears %q", answer)
			}
		}
		if accepted != 1 {
			t.Fatalf("%d callers are accepted", accepted)
		}
	}
}

// callStart gives the stage's answer; the conversation stays open.
func callStart(dir *os.File) string {
	control, err := sys.Dial(dir, "start", unix.SOCK_SEQPACKET)
	if err != nil || sys.Send(control, []byte("start")) != nil {
		return ""
	}
	buf := make([]byte, 100)
	n, _, err := sys.Recv(control, buf)
	if err != nil {
		control.Close()
		return ""
	}
	time.AfterFunc(patience, func() { control.Close() })
	return string(buf[:n])
}

func TestAwaitStartDescriptors(t *testing.T) {
	s, _ := listen(t, step(plan.OpSync, "started"))
	var open []string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		open = s.descriptors()
		if len(open) == 1 && strings.HasPrefix(open[0], "socket:") {
			return
		}
	}
	t.Errorf("open while it waits: %q, want one socket", open)
}

// descriptors says what the stage has open beyond its standard streams.
func (s *stage) descriptors() (open []string) {
	s.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", s.Pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		s.Fatal(err)
	}
	for _, e := range entries {
		if fd, _ := strconv.Atoi(e.Name()); fd > 2 {
			link, _ := os.Readlink(filepath.Join(dir, e.Name()))
			open = append(open, link)
		}
	}
	return open
}

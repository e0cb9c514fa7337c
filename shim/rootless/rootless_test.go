package rootless

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/rootfs"
	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/libcontainer/idmap"
)

const (
	programVar = "ROOTLESS_TEST_PROGRAM" // set where this file is a program that calls Enter
	notesVar   = "ROOTLESS_TEST_NOTES"   // the directory that Enter gets
	settingVar = "ROOTLESS_TEST_SETTING" // the setting in which TestRootless runs the tests TestUser...
	testUID    = 4242
)

func TestMain(m *testing.M) {
	if os.Getenv(programVar) == "" {
		os.Exit(guard.Run(m.Run))
	}
	status, done, err := Enter(notesForTest())
	if err == nil && !done {
		status, err = program(os.Args[1], os.Args[2:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 99
	}
	os.Exit(status)
}

// notesForTest are the notes that a test says, or those of one process alone.
func notesForTest() string {
	if dir := os.Getenv(notesVar); dir != "" {
		return dir
	}
	return filepath.Join(os.TempDir(), fmt.Sprint("notes-", os.Getpid()))
}

// program is what goes on in the namespace.
func program(verb string, args []string) (int, error) {
	switch verb {
	case "exit":
		return strconv.Atoi(args[0])
	case "die":
		n, err := strconv.Atoi(args[0])
		return 0, errors.Join(err, unix.Kill(os.Getpid(), unix.Signal(n)), forever())
	case "namespaces":
		return 0, namespaces()
	case "who":
		return 0, who()
	case "signals":
		return 0, tellSignals()
	case "overlay":
		return 0, overlay(args[0])
	case "ppid":
		fmt.Println(os.Getpid())
		return 0, forever()
	}
	return 0, fmt.Errorf("no such verb: %s", verb)
}

// forever waits for the end of standard input.
func forever() error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// who tells of the process what Enter is to make.
func who() error {
	m, err := Current()
	var caps unix.CapUserData
	capErr := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &caps)
	open, dirErr := os.ReadDir("/proc/self/fd")
	_, set := os.LookupEnv(stageVar)
	var others []string
	for _, fd := range open {
		if target, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && (target == "/" || strings.HasPrefix(target, "pipe:") && len(fd.Name()) == 1 && fd.Name() > "2") {
			others = append(others, target)
		}
	}
	fmt.Printf("euid %d mapping %+v admin %v stage %v value %q others %q\n", os.Geteuid(), m, caps.Effective&(1<<unix.CAP_SYS_ADMIN) != 0, set, os.Getenv("KEPT"), others)
	return errors.Join(err, capErr, dirErr)
}

// tellSignals names each signal that comes, until SIGUSR2.
func tellSignals() error {
	came := make(chan os.Signal, 10)
	signal.Notify(came)
	fmt.Println("ready")
	for sig := range came {
		if sig == unix.SIGURG { // the Go runtime's own
			continue
		}
		fmt.Println(unix.SignalName(sig.(unix.Signal)))
		if sig == unix.SIGUSR2 {
			break
		}
	}
	return nil
}

// overlay does what images are unpacked and containers run with.
func overlay(dir string) error {
	lower, target := filepath.Join(dir, "lower"), filepath.Join(dir, "target")
	if err := errors.Join(os.MkdirAll(lower+"/d", 0o755), os.MkdirAll(target, 0o755)); err != nil {
		return err
	}
	w, err := rootfs.MakeWritable(filepath.Join(dir, "w"), true, []string{lower})
	if err != nil {
		return err
	}
	s := rootfs.Spec{Lower: []string{lower}, Upper: w.Upper(), Work: w.Work(), Target: target, Userxattr: true}
	if err := rootfs.Mount(context.Background(), s); err != nil {
		return err
	}
	m, err := Current()
	if err == nil && !m.OneID {
		err = os.Chown(target+"/d", 33, 44)
	}
	return errors.Join(err, os.Remove(target+"/d"), os.Mkdir(target+"/d", 0o700), rootfs.Unmount(target), rootfs.Remove(string(w)))
}

// asUser arranges a mount namespace of its own, in which the user is known and
// may open terminals, and becomes him. $1 is laid over /etc.
const asUser = `
mount -t overlay overlay -o lowerdir="$1":/etc /etc
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts /dev/pts
mount --bind /dev/pts/ptmx /dev/ptmx
shift
exec setpriv --reuid 4242 --regid 4242 --clear-groups --inh-caps=-all -- "$@"`

func TestRootless(t *testing.T) {
	needs.Root(t, "to become another user; this one runs the tests TestUser... himself")
	needs.Program(t, "newuidmap")
	for _, setting := range []struct{ name, subids string }{
		{"alone", ""},
		{"ranges", "4242:100000:1000\n4242:200000:64536\n"},
	} {
		t.Run(setting.name, func(t *testing.T) {
			out, err := runAsUser(t, setting.name, setting.subids)
			if err != nil || bytes.Contains(out, []byte("no tests to run")) || bytes.Contains(out, []byte("--- SKIP")) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// runAsUser runs the tests of this package again, as a user.
func runAsUser(t *testing.T, setting, subids string) ([]byte, error) {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir), dir + "/etc", dir + "/tmp"} {
		if err := errors.Join(os.MkdirAll(d, 0o755), os.Chmod(d, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	line := fmt.Sprintf("davit-test:x:%d:%[1]d::/:/bin/sh\n", testUID)
	for name, text := range map[string]string{
		"passwd": "root:x:0:0::/:/bin/sh\n" + line, "group": "root:x:0:\n", "subuid": subids, "subgid": subids,
	} {
		if err := os.WriteFile(dir+"/etc/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(dir+"/tmp", testUID, testUID); err != nil {
		t.Fatal(err)
	}
	copyOfSelf(t, dir+"/test")
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-ec", asUser, "sh", dir+"/etc",
		dir+"/test", "-test.run=^TestUser", "-test.v")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), settingVar+"="+setting, "TMPDIR="+dir+"/tmp")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd.CombinedOutput()
}

// copyOfSelf copies the test's program to where another user can execute it.
func copyOfSelf(t *testing.T, to string) {
	t.Helper()
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o755); err != nil {
		t.Fatal(err)
	}
}

// command is the program, for a user to run.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("runs in TestRootless")
	}
	if reason := host.UserNSRefusal(); reason != "" && os.Getenv(settingVar) == "" {
		needs.Kernel(t, needs.UserNamespaces, errors.New(reason))
	}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), programVar+"=1", "KEPT=a b")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func TestUserIsRootInside(t *testing.T) {
	extra, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer extra.Close()
	cmd := command(t, "who")
	cmd.ExtraFiles = []*os.File{extra}
	out, err := cmd.CombinedOutput()
	maps, mapsErr := idmap.Own(os.Getuid(), os.Getgid())
	alone := len(maps.UIDs) == 1
	if setting := os.Getenv(settingVar); mapsErr != nil || setting != "" && alone != (setting == "alone") {
		t.Fatalf("in the setting %q the user's ids are %v, %v", setting, maps, mapsErr)
	}
	want := fmt.Sprintf("euid 0 mapping {UID:%d GID:%d OneID:%v} admin true stage false value \"a b\" others []\n", os.Getuid(), os.Getgid(), alone)
	if err != nil || string(out) != want {
		t.Errorf("%v: got  %s\nwant %s", err, out, want)
	}
}

func TestUserStatusIsPassedOn(t *testing.T) {
	for _, test := range []struct {
		args []string
		want int
	}{{[]string{"exit", "0"}, 0}, {[]string{"exit", "7"}, 7}, {[]string{"exit", "255"}, 255}, {[]string{"die", "9"}, 137}, {[]string{"die", "15"}, 143}} {
		cmd := command(t, test.args...)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.CombinedOutput()
		stdin.Close()
		if got := cmd.ProcessState.ExitCode(); got != test.want {
			t.Errorf("%v: got the status %d, %v: %s", test.args, got, err, out)
		}
	}
}

func TestUserSignalsArePassedOn(t *testing.T) {
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP) // which nohup has ignored, and what is ignored is not passed on
	cmd := command(t, "signals")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	if lines.Text() != "ready" {
		t.Fatalf("got %q", lines.Text())
	}
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGWINCH, unix.SIGUSR2} {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		lines.Scan()
		if got, want := lines.Text(), unix.SignalName(sig); got != want {
			t.Errorf("got %q, want %s", got, want)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestUserMountsOverlays(t *testing.T) {
	dir := t.TempDir()
	if out, err := command(t, "overlay", dir).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := command(t, "overlay", dir).CombinedOutput(); err != nil {
		t.Errorf("again: %v: %s", err, out)
	}
}

// TestUserKilled kills the program that the user started: the other one ends
// with it.
func TestUserKilled(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		cmd := command(t, "ppid")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Scan()
		inside, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		var status unix.WaitStatus
		if _, err := unix.Wait4(inside, &status, 0, nil); err != nil || status.Signal() != unix.SIGKILL {
			t.Errorf("the program inside ended with %v, %v", status, err)
		}
		stdin.Close()
	}
}

// TestUserKilledEarly kills it before that, at any moment: nobody is left.
func TestUserKilledEarly(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		cmd := command(t, "ppid")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		spin(i * 40)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		// Whoever is left is our child now, and this waits for its end.
		for {
			if _, err := unix.Wait4(-1, nil, 0, nil); errors.Is(err, unix.ECHILD) {
				break
			}
		}
		stdin.Close()
	}
}

// spin lets so many system calls pass, so that a kill comes at another moment
// each time.
func spin(steps int) {
	for range steps * 10 {
		unix.Getppid()
	}
}

func TestEnterDoesNothingForRoot(t *testing.T) {
	needs.Root(t, "it is about root")
	if status, done, err := Enter(t.TempDir()); status != 0 || done || err != nil {
		t.Errorf("got %d, %v, %v", status, done, err)
	}
	if m, err := Current(); err != nil || m != (Mapping{}) {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestStageThatIsNotOurs(t *testing.T) {
	for _, value := range []string{"", "inside", "other:1", "waiting:x"} {
		t.Setenv(stageVar, value)
		if _, _, err := Enter(""); err == nil || !strings.Contains(err.Error(), "unset it") {
			t.Errorf("%q: got %v", value, err)
		}
	}
	t.Setenv(stageVar, fmt.Sprintf("inside:%d", os.Getppid()+1))
	if _, done, err := Enter(""); done || err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("with another parent: got %v", err)
	}
}

func TestParseMap(t *testing.T) {
	tests := []struct {
		name, text string
		root       uint32
		alone      bool
		fails      bool
	}{
		{name: "initial", text: "         0          0 4294967295\n"},
		{name: "alone", text: "0 1000 1\n", root: 1000, alone: true},
		{name: "ranges", text: "0 1000 1\n1 100000 65536\n", root: 1000},
		{name: "without root", text: "1 100000 65536\n", fails: true},
		{name: "empty", fails: true},
		{name: "no numbers", text: "a b c\n", fails: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root, alone, err := parseMap("uid_map", test.text)
			if root != test.root || alone != test.alone || (err != nil) != test.fails {
				t.Errorf("got %d, %v, %v", root, alone, err)
			}
		})
	}
}

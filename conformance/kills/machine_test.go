package kills

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/guard"
)

// machine is davit-shim with a root of its own, and what was learnt of it.
type machine struct {
	t        *testing.T
	program  string
	dir      string // a tmpfs
	token    string // the cgroup of all containers
	networks bool
	*children

	mu      sync.Mutex
	typical map[string]time.Duration // how long commands take
	spared  string                   // the container whose keeper is not killed
	lost    map[string]bool          // containers whose keeper was killed
	passing map[string]bool          // the names of those that are removed when they end
}

// runDir is where davit-shim has its sockets and states.
const runDir = "/run/davit-shim"

// newMachine hides what other stores have in their run directory, and imports the
// image. This process has mount and network namespaces of its own.
func newMachine(t *testing.T, program string) *machine {
	t.Helper()
	dir := t.TempDir()
	must(t, os.MkdirAll(runDir, 0o711))
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	for _, on := range []string{dir, runDir} {
		must(t, unix.Mount("tmpfs", on, "tmpfs", 0, "mode=0711"))
		t.Cleanup(func() { _ = unix.Unmount(on, unix.MNT_DETACH) })
	}
	m := &machine{
		t: t, program: program, dir: dir, token: guard.Name() + "kills",
		typical: map[string]time.Duration{}, lost: map[string]bool{}, passing: map[string]bool{},
	}
	t.Cleanup(m.removeCgroups)
	var err error
	m.networks = networked()
	must(t, imageArchive(dir))
	must(t, contextOf(dir))
	m.children, err = adopt()
	must(t, err)
	return m
}

// removeCgroups removes those that the containers' were in.
func (m *machine) removeCgroups() {
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		dirs, _ := filepath.Glob(pattern + m.token)
		for _, dir := range dirs {
			if err := os.Remove(dir); err != nil {
				m.t.Errorf("left: %v", err)
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// networked tells whether this machine can have bridges, and sets up loopback.
func networked() bool {
	for _, program := range []string{"ip", "iptables"} {
		if _, err := exec.LookPath(program); err != nil {
			return false
		}
	}
	if _, err := os.Stat("/usr/lib/cni/bridge"); err != nil {
		return false
	}
	return exec.Command("ip", "link", "set", "lo", "up").Run() == nil
}

// imageArchive makes a root file system with busybox.
func imageArchive(dir string) error {
	root := filepath.Join(dir, "image")
	if err := os.MkdirAll(filepath.Join(root, "bin"), 0o755); err != nil {
		return err
	}
	data, err := os.ReadFile("/bin/busybox")
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "bin/busybox"), data, 0o755)
	}
	for _, applet := range strings.Fields("sh true sleep echo cat ls wc mkdir") {
		if err == nil {
			err = os.Symlink("busybox", filepath.Join(root, "bin", applet))
		}
	}
	if err == nil {
		err = exec.Command("tar", "-C", root, "-cf", filepath.Join(dir, "image.tar"), ".").Run()
	}
	return err
}

// dockerfile makes files of which is known what they are to be.
const dockerfile = `FROM box AS one
ARG N=0
COPY file /out/
RUN cat /out/file /out/file >/out/twice; echo $N >/n
FROM box AS two
ARG N=0
RUN --mount=type=cache,target=/cache mkdir /out; i=0; while [ $i -lt 50 ]; do echo $i$N >/out/$i; i=$((i+1)); done; echo $N >>/cache/log
FROM box
COPY --from=one /out /out/
COPY --from=two /out /out/
`

func contextOf(dir string) error {
	context := filepath.Join(dir, "context")
	if err := os.Mkdir(context, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(context, "file"), []byte("content\n"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(context, "Dockerfile"), []byte(dockerfile), 0o644)
}

// root is davit-shim's.
func (m *machine) root() string { return filepath.Join(m.dir, "root") }

// result is what came of a command.
type result struct {
	args   []string
	status int // -1: a signal ended it
	output string
	took   time.Duration
}

func (r result) killed() bool { return r.status < 0 }

func (r result) String() string {
	return fmt.Sprintf("davit-shim %s: status %d: %s", strings.Join(r.args, " "), r.status, strings.TrimSpace(r.output))
}

// longest is how long a command may take: none waits for anything that long.
const longest = 2 * time.Minute

// command runs davit-shim, and kills it after a time, unless that is 0.
func (m *machine) command(kill time.Duration, args ...string) result {
	r := m.execute(kill, append([]string{m.program, "--root", m.root()}, args...)...)
	r.args = args
	return r
}

// execute runs a program.
func (m *machine) execute(kill time.Duration, argv ...string) result {
	r := result{args: argv, status: -1}
	out, err := os.CreateTemp(m.dir, "output-")
	if err != nil {
		r.output = err.Error()
		return r
	}
	defer os.Remove(out.Name())
	defer out.Close()
	begin := time.Now()
	pid, ended, err := m.start(argv, out)
	if err != nil {
		r.output = err.Error()
		return r
	}
	timeout := kill
	if kill == 0 {
		timeout = longest
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	var status syscall.WaitStatus
	select {
	case status = <-ended:
	case <-timer.C:
		if kill == 0 {
			m.t.Errorf("davit-shim %s: it has not ended after %v", strings.Join(argv[1:], " "), longest)
		}
		_ = unix.Kill(pid, unix.SIGKILL)
		status = <-ended
	}
	r.took, r.status = time.Since(begin), status.ExitStatus()
	_, _ = out.Seek(0, io.SeekStart)
	text, _ := io.ReadAll(out)
	r.output = string(text)
	return r
}

// want runs davit-shim, which is to succeed.
func (m *machine) want(args ...string) string {
	m.t.Helper()
	r := m.command(0, args...)
	if r.status != 0 {
		m.t.Errorf("%v", r)
	}
	return strings.TrimSpace(r.output)
}

// fields are the words that davit-shim prints.
func (m *machine) fields(args ...string) []string {
	m.t.Helper()
	return strings.Fields(m.want(args...))
}

// flags are those of run and create: where the cgroup goes, and the network.
func (m *machine) flags(network string, more ...string) []string {
	if !m.networks || network == "" {
		network = "none"
	}
	return slices.Concat([]string{"--cgroup-parent", "/" + m.token, "--network", network}, more)
}

// learn keeps how long commands take that are let be.
func (m *machine) learn(verb string, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.typical[verb]; known != 0 {
		took = (3*known + took) / 4
	}
	m.typical[verb] = took
}

func (m *machine) takes(verb string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.typical[verb] == 0 {
		return 60 * time.Millisecond
	}
	return m.typical[verb]
}

func (m *machine) loses(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lost[id] = true
}

// passes notes that a container is removed when it ends.
func (m *machine) passes(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passing[name] = true
}

func (m *machine) hasLost(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lost[id]
}

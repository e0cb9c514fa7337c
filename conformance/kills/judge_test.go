package kills

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/davit-containers/davit/conformance/internal/offspring"
	"github.com/davit-containers/davit/conformance/needs"
)

// lostStatus is that of a container of which nobody saw the end.
const lostStatus = 255

// state is what inspect says.
type state struct {
	status    string
	exit, pid int
}

func (m *machine) state(ref string) (s state, found bool) {
	r := m.command(0, "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}", ref)
	if r.status != 0 {
		return s, false
	}
	if n, err := fmt.Sscan(r.output, &s.status, &s.exit, &s.pid); n != 3 {
		m.t.Errorf("%v: %v", r, err)
	}
	return s, true
}

// judge looks at the containers that a worker was told had started.
func (m *machine) judge(w *worker) {
	for _, r := range w.own {
		s, found := m.state(r.id)
		if !found {
			if !r.removed {
				m.t.Errorf("container %s is gone", r.name)
			}
			continue
		}
		if r.exits != nil && s.status == "running" {
			m.want("wait", r.id) // it ends by itself
			s, _ = m.state(r.id)
		}
		if wrong := r.wrong(s, m.hasLost(r.id)); wrong != "" {
			m.t.Errorf("container %s, %s: %s %d, pid %d: %s", r.name, r.id, s.status, s.exit, s.pid, wrong)
		}
	}
}

// wrong says why a container cannot be what it is said to be; lost that its keeper
// was killed.
func (r *record) wrong(s state, lost bool) string {
	switch {
	case s.status == "running" && !offspring.Alive(s.pid):
		return "its process is not there"
	case s.status == "running" && r.ended:
		return "it was stopped"
	case s.status == "running":
		return ""
	case s.status != "exited":
		return "it was started"
	case lost && s.exit == lostStatus:
		return ""
	case r.exits != nil && slices.Contains(r.exits, s.exit):
		return ""
	case r.exits == nil && (r.halted || r.removed) && slices.Contains(stopped, s.exit):
		return ""
	}
	return "its program has not ended so"
}

// judgeAll looks at all that is listed: it is whole, and what was only made can be
// started.
func (m *machine) judgeAll() {
	names := map[string]string{}
	for line := range strings.Lines(m.want("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.State}}")) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			m.t.Errorf("ps -a lists %q", line)
			continue
		}
		id, name := fields[0], fields[1]
		if names[name] != "" {
			m.t.Errorf("%s and %s are both called %s", id, names[name], name)
		}
		names[name] = id
		if fields[2] == "created" {
			m.want("start", id)
		}
		if s, found := m.state(name); !found && !m.passing[name] {
			m.t.Errorf("%s is listed, and not there", name)
		} else if found && s.status == "running" {
			m.wantExec(id)
		}
	}
}

// wantExec runs a further process in a container that runs, unless it ends meanwhile.
func (m *machine) wantExec(id string) {
	r := m.command(0, "exec", id, "true")
	if s, _ := m.state(id); r.status != 0 && s.status == "running" && !mentions(r.output, []string{notRunning}) {
		m.t.Errorf("%v", r)
	}
}

// judgeStore has others read the images, and builds once more.
func (m *machine) judgeStore() {
	blobs, err := m.blobs()
	must(m.t, err)
	for _, path := range blobs {
		if sum, err := sumOf(path); err != nil || sum != filepath.Base(path) {
			m.t.Errorf("blob %s has digest %s, %v", path, sum, err)
		}
	}
	for _, name := range m.named() {
		layout := filepath.Join(m.root(), "images") + ":" + name
		out := filepath.Join(m.dir, "copied")
		m.judgeBy("skopeo", "copy", "-q", "oci:"+layout, "dir:"+out)
		m.judgeBy("umoci", "stat", "--image", layout)
		must(m.t, os.RemoveAll(out))
	}
	for n := range 3 {
		m.want("build", "-q", "--network", "none", "--build-arg", "N="+strconv.Itoa(n), "-t", "judged", filepath.Join(m.dir, "context"))
		got := m.want(slices.Concat([]string{"run"}, m.flags("none", "--rm"), []string{"judged", "sh", "-c", "cat /out/file /out/twice /out/49; ls /out | wc -l"})...)
		if want := fmt.Sprintf("content\ncontent\ncontent\n49%d\n52", n); got != want {
			m.t.Errorf("a build made %q, want %q", got, want)
		}
	}
}

func (m *machine) judgeBy(program string, args ...string) {
	m.t.Helper()
	path := needs.Program(m.t, program)
	if r := m.execute(0, append([]string{path}, args...)...); r.status != 0 {
		m.t.Errorf("%s %s: %s", program, strings.Join(args, " "), r.output)
	}
}

// named are the names in the layout's index.
func (m *machine) named() (names []string) {
	var index struct {
		Manifests []struct{ Annotations map[string]string }
	}
	data, err := os.ReadFile(filepath.Join(m.root(), "images/index.json"))
	must(m.t, err)
	must(m.t, json.Unmarshal(data, &index))
	for _, d := range index.Manifests {
		if name := d.Annotations["org.opencontainers.image.ref.name"]; name != "" {
			names = append(names, name)
		}
	}
	return names
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// veteran is a container that outlives all kills of its supervisor.
type veteran struct {
	id    string
	pid   int
	files int // of its supervisor and its keeper
}

func (m *machine) veteran() *veteran {
	v := &veteran{id: m.want(slices.Concat([]string{"run"}, m.flags("none", "-d", "--name", "veteran"), []string{"box", "sh", "-c", lasting.script})...)}
	m.spared = v.id
	m.want("exec", v.id, "true") // so that there is a supervisor
	s, _ := m.state(v.id)
	v.pid, v.files = s.pid, m.filesOf(v.id)
	return v
}

// judge: it is the same process, and its supervisor has as many files open as the
// first one.
func (v *veteran) judge(m *machine) {
	m.want("exec", v.id, "true")
	if s, _ := m.state(v.id); s.status != "running" || s.pid != v.pid {
		m.t.Errorf("the container that was there from the beginning is %v, and was process %d", s, v.pid)
	}
	files := m.filesOf(v.id)
	for deadline := time.Now().Add(grace); files > v.files && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		files = m.filesOf(v.id) // what further processes had is kept for a while
	}
	if files > v.files {
		m.t.Errorf("its supervisor and keeper have %d files open, and had %d", files, v.files)
	}
}

// filesOf are the open files of a container's supervisor and keeper.
func (m *machine) filesOf(id string) int {
	p := m.supervisors()[id]
	if p == nil {
		m.t.Errorf("container %s has no supervisor", id)
		return 0
	}
	total := 0
	for _, pid := range []int{p.supervisor, p.keeper} {
		open, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		total += len(open)
	}
	return total
}

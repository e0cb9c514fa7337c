package kills

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/davit-containers/davit/conformance/internal/offspring"
	"github.com/davit-containers/davit/conformance/internal/residue"
)

// sight is what the machine has at a moment at which nothing runs.
type sight map[string]bool

// grows are the files of a root that come with time, and of which there is one.
var grows = []string{"/events/log.1"}

// states is a directory of a runtime's states, which is made at the first use.
const states = "/runtime"

// look looks when everything was removed and no process is left.
func (m *machine) look() sight {
	m.t.Helper()
	s := sight{}
	found, err := residue.Take(residue.Where{Token: m.token, Trees: []string{m.root(), runDir}})
	must(m.t, err)
	for _, line := range found {
		grown := slices.Contains(grows, strings.TrimPrefix(line, "file "+m.root()))
		kept := strings.HasPrefix(line, "file "+runDir) && strings.HasSuffix(line, states)
		if !grown && !kept && line != "cgroup "+m.token {
			s[line] = true
		}
	}
	must(m.t, s.cgroups(m.token))
	if m.networks {
		s.network(m)
	}
	return s
}

// cgroups notes those of containers, and those of builds.
func (s sight) cgroups(token string) error {
	return filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (filepath.Base(filepath.Dir(path)) == token || strings.HasPrefix(d.Name(), "build-")) {
			s["cgroup "+path] = true
		}
		return nil
	})
}

// network notes the devices and the firewall's rules.
func (s sight) network(m *machine) {
	for _, argv := range [][]string{{"/bin/sh", "-c", "ip -o link | cut -d: -f2 | sort"}, {"/bin/sh", "-c", "iptables-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'"}} {
		r := m.execute(0, argv...)
		if r.status != 0 {
			m.t.Errorf("%v", r)
		}
		for line := range strings.Lines(r.output) {
			s["network "+strings.TrimSpace(line)] = true
		}
	}
}

// grace is how long what has ended may take to be gone.
const grace = 10 * time.Second

// more is what is there that was not there before; of what others may have made on
// the same machine, what stays.
func (m *machine) more(before sight) []string {
	var left []string
	for deadline := time.Now().Add(grace); ; time.Sleep(50 * time.Millisecond) {
		now := m.look()
		found := slices.DeleteFunc(slices.Sorted(maps.Keys(now)), func(line string) bool { return before[line] })
		if left == nil {
			left = found
		}
		left = slices.DeleteFunc(left, func(line string) bool { return !now[line] })
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
	}
}

// empty removes everything, as people do.
func (m *machine) empty() {
	m.t.Helper()
	if ids := m.fields("ps", "-a", "-q", "--no-trunc"); len(ids) > 0 {
		m.want(append([]string{"rm", "-f", "-v"}, ids...)...)
	}
	m.want("prune", "-f", "-a", "--volumes")
	if names := m.fields("volume", "ls", "-q"); len(names) > 0 {
		m.want(append([]string{"volume", "rm"}, names...)...)
	}
	for _, what := range [][]string{{"ps", "-a", "-q"}, {"images", "-a", "-q"}, {"volume", "ls", "-q"}} {
		if left := m.want(what...); left != "" {
			m.t.Errorf("davit-shim %s: left: %s", strings.Join(what, " "), left)
		}
	}
}

// life does once whatever the workers do, so that what stays for ever is there.
func (m *machine) life() {
	m.t.Helper()
	m.prepare()
	for _, network := range []string{"none", "bridge", "front"} {
		m.want(slices.Concat([]string{"run"}, m.flags(network, "--rm", "-v", "volume0:/data"), []string{"box", "true"})...)
	}
	m.want("build", "-q", "--network", "none", "-t", "built", filepath.Join(m.dir, "context"))
}

// killBuilds leaves builds that were killed, which no other build follows.
func (m *machine) killBuilds() {
	for n := range 4 {
		m.command(time.Duration(50+40*n)*time.Millisecond, "build", "-q", "--network", "none", "--no-cache", filepath.Join(m.dir, "context"))
	}
}

// prepare makes what the workers begin with.
func (m *machine) prepare() {
	m.t.Helper()
	m.want("import", filepath.Join(m.dir, "image.tar"), "box")
	if m.networks {
		m.want("network", "create", "front")
	}
}

// processes are those that were left, and not meant to be.
func (m *machine) processes() []string {
	deadline := time.Now().Add(grace)
	for {
		var left []string
		for _, pid := range offspring.All() {
			if pid != m.sentinel {
				args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				left = append(left, fmt.Sprintf("%d %s: %s", pid, offspring.Name(pid), strings.ReplaceAll(string(args), "\x00", " ")))
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(20 * time.Millisecond)
	}
}

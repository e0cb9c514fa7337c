package libcontainer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/cgroup"
	"github.com/davit-containers/davit/libcontainer/criu"
	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/libcontainer/spec"
)

// An image says of each process in which namespaces and cgroups it is and what
// it may do. Whoever wrote it may have said anything: before the processes run,
// they are compared with what the configuration gives a container, each thread
// by itself. What stays unchecked: what a seccomp filter allows, there being one;
// what is mounted in their mount namespaces, but for the root file system of the
// first process's; and the files that they have open.

// confinement is what no restored process may be without.
type confinement struct {
	outside    map[string][]string // the namespaces that none may be in, by their names in /proc/PID/ns
	cgroups    map[string]string   // by controller; a process may be in one below
	caps       uint64              // all that a process may have or gain
	noNewPrivs bool
	seccomp    bool
	apparmor   string // "" for any
}

// observation is what the kernel says of a thread.
type observation struct {
	dead       bool // a zombie runs nothing, and is in no namespaces
	namespaces map[string]string
	cgroups    map[string]string
	caps       uint64 // permitted, inheritable and bounding, put together
	noNewPrivs bool
	seccomp    bool
	apparmor   string
}

// confine gives the configuration's, for processes in the cgroups of criu.
func (r *restoration) confine(cgroups map[string]string) (*confinement, error) {
	ours, err := namespacesOf("self")
	if err != nil {
		return nil, err
	}
	c := &confinement{outside: map[string][]string{}, cgroups: cgroups, caps: ^uint64(0)}
	for _, ns := range r.linux().Namespaces {
		name := namespaceFile(ns.Type)
		switch {
		case ns.Type == specs.CgroupNamespace && ns.Path == "" && r.leavesCgroups():
			c.outside[name] = []string{ours[name]}
		case ns.Path == "":
			c.outside[name] = []string{ours[name], r.criuNamespaces[name]}
		case !sameFile(ns.Path, "/proc/self/ns/"+name):
			c.outside[name] = []string{ours[name]}
		}
	}
	if p := r.bundle.Spec.Process; p != nil {
		c.caps = capabilityBits(p.Capabilities)
		c.noNewPrivs, c.apparmor = p.NoNewPrivileges, p.ApparmorProfile
	}
	if profile, found := strings.CutPrefix(r.options.LSMProfile, "apparmor:"); found {
		c.apparmor = profile
	}
	c.seccomp = r.linux().Seccomp != nil && host.Seccomp()
	return c, nil
}

// leavesCgroups tells whether criu leaves the cgroups as they are: it is then in
// the container's new cgroup namespace itself.
func (r *restoration) leavesCgroups() bool { return r.options.Cgroups == criu.CgroupIgnore }

// sameFile tells whether two paths lead to one file, or one namespace.
func sameFile(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// checkJoined wants the first process in the namespaces that have a path.
func (r *restoration) checkJoined() error {
	for _, ns := range r.linux().Namespaces {
		if ns.Path != "" && !sameFile(ns.Path, "/proc/"+strconv.Itoa(r.pid)+"/ns/"+namespaceFile(ns.Type)) {
			return fmt.Errorf("it is not in the %s namespace %s", ns.Type, ns.Path)
		}
	}
	return nil
}

// namespaceFile is a type's name in /proc/PID/ns.
func namespaceFile(t specs.LinuxNamespaceType) string {
	switch t {
	case specs.NetworkNamespace:
		return "net"
	case specs.MountNamespace:
		return "mnt"
	}
	return string(t)
}

// capabilityBits is all that the sets of a configuration have.
func capabilityBits(c *specs.LinuxCapabilities) (bits uint64) {
	if c == nil {
		return 0
	}
	for _, name := range slices.Concat(c.Bounding, c.Permitted, c.Inheritable) {
		if n, ok := host.CapNumber(name); ok {
			bits |= 1 << n
		}
	}
	return bits
}

// noteOutside writes down where criu is before it restores anything: its mount
// namespace shows all of the host.
func (r *restoration) noteOutside() (err error) {
	if r.criuNamespaces, err = namespacesOf(strconv.Itoa(r.stage.Pid)); err != nil {
		return err
	}
	if r.cgroups, err = cgroup.Of(r.stage.Pid); err != nil {
		return err
	}
	r.root, err = rootOf(r.stage.Pid, filepath.Join(r.dir.Path(), restoreRoot))
	return err
}

// rootOf looks at a directory in the mount namespace of a process.
func rootOf(pid int, path string) (st unix.Stat_t, err error) {
	inside, err := newTreeOpener(pid)
	if err != nil {
		return st, err
	}
	defer inside.stop()
	inside.do(func() { err = unix.Stat(path, &st) })
	if err != nil {
		return st, fmt.Errorf("looking at %s in the mount namespace of process %d: %w", path, pid, err)
	}
	return st, nil
}

// checkRoot wants the container's root file system at the root of the first
// process's mount namespace. The root of the process may be below.
func (r *restoration) checkRoot() error {
	if path, _ := spec.Namespace(r.bundle.Spec, specs.MountNamespace); path != "" {
		return nil // what is in that namespace is not the image's
	}
	root, err := rootOf(r.pid, "/")
	if err != nil {
		return err
	}
	if root.Dev != r.root.Dev || root.Ino != r.root.Ino {
		return errors.New("its mount namespace has another root file system than config.json")
	}
	return nil
}

// checkProcesses compares all threads of the first process and of all that
// descend from it.
func (r *restoration) checkProcesses() error {
	c, err := r.confine(r.cgroups)
	if err != nil {
		return err
	}
	first, err := namespacesOf(strconv.Itoa(r.pid))
	for _, check := range []func() error{r.checkJoined, r.checkRoot} {
		if err == nil {
			err = check()
		}
	}
	if err != nil {
		return fmt.Errorf("checking the restored process %d: %w", r.pid, err)
	}
	return c.checkAll(r.pid, first["user"])
}

// checkAll checks the threads of a process and of all that descend from it.
func (c *confinement) checkAll(pid int, userns string) error {
	pids, err := descendants(pid)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		tids, err := threads(pid)
		if err != nil {
			return err
		}
		for _, tid := range tids {
			o, err := observe(tid)
			if err == nil {
				err = c.check(o, userns)
			}
			if err != nil {
				return fmt.Errorf("checking thread %d of the restored process %d: %w", tid, pid, err)
			}
		}
	}
	return nil
}

// check says what of the confinement a thread lacks. What it may do in a user
// namespace of its own making is the kernel's to bound.
func (c *confinement) check(o *observation, userns string) error {
	if o.dead {
		return nil
	}
	for name, outside := range c.outside {
		if slices.Contains(outside, o.namespaces[name]) {
			return fmt.Errorf("it is in the host's %s namespace, or in criu's, and config.json has another", name)
		}
	}
	for controller, path := range c.cgroups {
		if at := o.cgroups[controller]; at != path && !strings.HasPrefix(at, strings.TrimSuffix(path, "/")+"/") {
			return fmt.Errorf("it is in the cgroup %s, outside of the container's %s", at, path)
		}
	}
	if extra := o.caps &^ c.caps; extra != 0 && o.namespaces["user"] == userns {
		return fmt.Errorf("it has capabilities that config.json does not give: %s", capabilityList(extra))
	}
	if c.noNewPrivs && !o.noNewPrivs {
		return errors.New("it may gain privileges, which config.json forbids")
	}
	if c.seccomp && !o.seccomp {
		return errors.New("it has no seccomp filter, and config.json has one")
	}
	if c.apparmor != "" && o.apparmor != c.apparmor {
		return fmt.Errorf("it is confined by the AppArmor profile %q, and not by %q", o.apparmor, c.apparmor)
	}
	return nil
}

func capabilityList(bits uint64) string {
	var names []string
	for n := range 64 {
		if bits>>n&1 != 0 {
			names = append(names, host.CapName(n))
		}
	}
	return strings.Join(names, " ")
}

// descendants lists a process and all processes that it is above of. They
// stand still.
func descendants(pid int) ([]int, error) {
	list := []int{pid}
	for i := 0; i < len(list); i++ {
		files, err := filepath.Glob("/proc/" + strconv.Itoa(list[i]) + "/task/*/children")
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			children, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("looking for the children of process %d: %w", list[i], pathError(err))
			}
			for _, field := range strings.Fields(string(children)) {
				child, err := strconv.Atoi(field)
				if err != nil {
					return nil, fmt.Errorf("looking for the children of process %d: %w", list[i], err)
				}
				list = append(list, child)
			}
		}
	}
	return list, nil
}

// threads lists a process's.
func threads(pid int) ([]int, error) {
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return nil, fmt.Errorf("looking for the threads of process %d: %w", pid, pathError(err))
	}
	var tids []int
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			return nil, fmt.Errorf("looking for the threads of process %d: %w", pid, err)
		}
		tids = append(tids, tid)
	}
	return tids, nil
}

// observe asks the kernel of a thread: /proc has each by its number.
func observe(tid int) (*observation, error) {
	o := &observation{}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return nil, fmt.Errorf("reading its status: %w", pathError(err))
	}
	if o.readStatus(status); o.dead {
		return o, nil
	}
	if o.namespaces, err = namespacesOf(strconv.Itoa(tid)); err != nil {
		return nil, err
	}
	if o.cgroups, err = cgroup.Of(tid); err != nil {
		return nil, err
	}
	label, err := os.ReadFile(fmt.Sprintf("/proc/%d/attr/current", tid))
	if err == nil {
		o.apparmor, _, _ = strings.Cut(strings.TrimRight(string(label), "\x00\n"), " (")
	}
	return o, nil
}

func (o *observation) readStatus(status []byte) {
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "State":
			o.dead = strings.HasPrefix(value, "Z") || strings.HasPrefix(value, "X")
		case "CapPrm", "CapInh", "CapBnd":
			bits, _ := strconv.ParseUint(value, 16, 64)
			o.caps |= bits
		case "NoNewPrivs":
			o.noNewPrivs = value == "1"
		case "Seccomp":
			o.seccomp = value == "2"
		}
	}
}

// namespacesOf gives the identities of a process's namespaces by their names.
func namespacesOf(pid string) (map[string]string, error) {
	links := map[string]string{}
	for _, name := range []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		link, err := os.Readlink("/proc/" + pid + "/ns/" + name)
		if os.IsNotExist(err) {
			continue // the kernel has no such namespaces
		}
		if err != nil {
			return nil, fmt.Errorf("looking at its namespaces: %w", pathError(err))
		}
		links[name] = link
	}
	return links, nil
}

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

	"github.com/davit-containers/davit/libcontainer/cgroup"
	"github.com/davit-containers/davit/libcontainer/host"
)

// An image says of each process in which namespaces and cgroups it is and what
// it may do. Whoever wrote it may have said anything: before the processes run,
// they are compared with what the configuration gives a container.

// confinement is what no restored process may be without.
type confinement struct {
	apart      []string          // namespaces, by their names in /proc/PID/ns, that are not the host's
	host       map[string]string // the host's
	cgroups    map[string]string // by controller; a process may be in one below
	caps       uint64            // all that a process may have or gain
	noNewPrivs bool              // of the first process
	seccomp    bool
	apparmor   string // "" for any
}

// observation is what the kernel says of a process.
type observation struct {
	pid        int
	namespaces map[string]string
	cgroups    map[string]string
	caps       uint64 // permitted and bounding, put together
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
	c := &confinement{host: ours, cgroups: cgroups, caps: ^uint64(0)}
	for _, ns := range r.linux().Namespaces {
		name := namespaceFile(ns.Type)
		if ns.Path == "" || !sameFile(ns.Path, "/proc/self/ns/"+name) {
			c.apart = append(c.apart, name)
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
	for _, name := range slices.Concat(c.Bounding, c.Permitted) {
		if n, ok := host.CapNumber(name); ok {
			bits |= 1 << n
		}
	}
	return bits
}

// checkProcesses compares the first process and all that descend from it.
func (r *restoration) checkProcesses() error {
	c, err := r.confine(r.cgroups)
	if err != nil {
		return err
	}
	first, err := r.checkFirst(c)
	if err != nil {
		return fmt.Errorf("checking the restored process %d: %w", r.pid, err)
	}
	pids, err := descendants(r.pid)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		o, err := observe(pid)
		if err == nil {
			err = c.check(o, first.namespaces["user"])
		}
		if err != nil {
			return fmt.Errorf("checking the restored process %d: %w", pid, err)
		}
	}
	return nil
}

// checkFirst compares what others need not share with the first process.
func (r *restoration) checkFirst(c *confinement) (*observation, error) {
	first, err := observe(r.pid)
	if err != nil {
		return nil, err
	}
	if c.noNewPrivs && !first.noNewPrivs {
		return nil, errors.New("it may gain privileges, which config.json forbids")
	}
	return first, r.checkJoined()
}

// check says what of the confinement a process lacks. What it may do in a user
// namespace of its own making is the kernel's to bound.
func (c *confinement) check(o *observation, userns string) error {
	for _, name := range c.apart {
		if o.namespaces[name] == c.host[name] {
			return fmt.Errorf("it is in the host's %s namespace, and config.json has another", name)
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

// observe asks the kernel.
func observe(pid int) (*observation, error) {
	o := &observation{pid: pid}
	var err error
	if o.namespaces, err = namespacesOf(strconv.Itoa(pid)); err != nil {
		return nil, err
	}
	if o.cgroups, err = cgroup.Of(pid); err != nil {
		return nil, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, fmt.Errorf("reading its status: %w", pathError(err))
	}
	o.readStatus(status)
	label, err := os.ReadFile(fmt.Sprintf("/proc/%d/attr/current", pid))
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
		case "CapPrm", "CapBnd":
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

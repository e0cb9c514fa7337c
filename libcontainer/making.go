package libcontainer

import (
	"errors"
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/cgroup"
	"github.com/davit-containers/davit/libcontainer/idmap"
	"github.com/davit-containers/davit/libcontainer/plan"
	"github.com/davit-containers/davit/libcontainer/seccomp"
	"github.com/davit-containers/davit/libcontainer/seccomp/compile"
	"github.com/davit-containers/davit/libcontainer/stage"
)

// making is a process of a container while a stage makes it: what create and
// exec have in common.
type making struct {
	maker
	runtime *Runtime
	doing   string // such as "creating the container"
	outlets outlets

	cgroup  *cgroup.Manager
	filter  seccomp.Filter
	join    plan.Join
	plan    *plan.Plan
	files   files
	stage   *stage.Process
	mapped  idmap.Cache
	trees   *treeOpener
	cloned  bool // the stage was, into its cgroup
	limited bool

	attached bool // the stage, or what it attaches itself to is there

	clock    *stepClock // where the making is traced
	clockDir *os.File   // the directory for its file; nil for memory
}

// maker is what creation and execution do each in its own way.
type maker interface {
	// compilePlan makes the plan for the way into the cgroup that is chosen.
	compilePlan() error
	// cgroupDir is the cgroup in which the stage is created; nil for its parent's.
	cgroupDir() (*os.File, error)
	// openOwn opens those of the plan's files that only this maker's plans have.
	openOwn(*plan.File) (*os.File, error)
	// act does what a sync of the plan asks for.
	act(sync string) error
	// observed is what a seccomp agent is told of the container.
	observed() (*specs.LinuxSeccomp, specs.State)
}

// outlets are what a process is given and handed out through.
type outlets struct {
	stdio         [3]*os.File
	preserve      int // descriptors from 3 on
	consoleSocket string
	console       func(master *os.File) error
	pidfdSocket   string
}

// strictSeccomp makes a name that libseccomp does not know an error.
// Compat(crun): any value but "0" does.
const strictSeccomp = "run.oci.seccomp_fail_unknown_syscall"

func (m *making) compileFilter(s *specs.Spec) (err error) {
	if l := s.Linux; l != nil && l.Seccomp != nil {
		load := compile.Load
		if value, found := s.Annotations[strictSeccomp]; found && value != "0" {
			load = compile.LoadStrict
		}
		m.filter, err = load(l.Seccomp, m.runtime.cacheDir())
		m.runtime.debugf("seccomp filter flags: %d", m.filter.Flags)
	}
	return err
}

func (m *making) startStage() error {
	wire, err := m.plan.Wire()
	if err != nil {
		return err
	}
	launch := stage.Launch{Stdio: m.outlets.stdio, Preserve: m.files.preserved, Plan: wire, Files: m.files.plan, Clone: m.plan.Clone}
	if m.plan.Join == plan.JoinClone || m.plan.Join == plan.JoinSelf {
		if launch.Cgroup, err = m.cgroupDir(); err != nil {
			return err
		}
	}
	m.cloned = launch.Cgroup != nil
	if m.stage, err = stage.Start(launch); err == nil {
		m.tellStage()
	}
	return err
}

// tellStage logs that there is a stage.
// Compat(runc): its integration tests look for what its log says of its
// processes: "nsexec container setup", "child process in init()".
func (m *making) tellStage() {
	m.runtime.debugf("nsexec container setup: the stage is process %d", m.stage.Pid)
	m.runtime.debugf("child process in init(): %d steps", len(m.plan.Steps))
}

// startAnyhow starts the stage in its cgroup, or outside where the kernel
// refuses that, or a container host clone3(2): whether the stage may be in its
// cgroup is then said when it is moved.
func (m *making) startAnyhow() error {
	err := m.startStage()
	if !m.cloned || !refusesClone(err) {
		return err
	}
	m.runtime.debugf("cloning into the cgroup: %v; moving the process instead", err)
	return m.startOutside()
}

func refusesClone(err error) bool {
	for _, errno := range []unix.Errno{unix.EBUSY, unix.ENOENT, unix.ENODEV, unix.EACCES, unix.EPERM, unix.EOPNOTSUPP, unix.ENOSYS} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// startOutside starts a stage that is to be moved into its cgroup, where none
// can be created in it.
func (m *making) startOutside() error {
	m.join, m.attached = plan.JoinAttach, false
	if err := m.compilePlan(); err != nil {
		return err
	}
	return m.startStage()
}

func (m *making) limitNow() error {
	if m.limited {
		return nil
	}
	m.limited = true
	return m.cgroup.Limit()
}

func (m *making) forks() bool {
	for i := range m.plan.Steps {
		if m.plan.Steps[i].Op == plan.OpFork {
			return true
		}
	}
	return false
}

// unexpected is the error for what a maker's plans never have.
func unexpected(what string) error {
	return fmt.Errorf("talking to the stage: unexpected %s", what)
}

// release closes what only the making needed.
func (m *making) release() {
	m.files.close()
	m.mapped.Close()
	m.cgroup.Close()
	if m.trees != nil {
		m.trees.stop()
	}
}

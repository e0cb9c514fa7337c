// Package plan turns a container's configuration into the flat list of steps
// that make the container. It decides everything and does nothing: no input
// or output, no system calls; what it must know of the host comes as Facts.
// The steps are executed by package stage's program, or printed.
//
// It is not for talking to a running stage: that is libcontainer's work.
package plan

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Plan is all that is needed to make one container's process.
type Plan struct {
	// Clone has the CLONE_NEW* flags with which the stage is started.
	Clone uintptr
	// Join is how the stage gets into the container's cgroup.
	Join Join
	// Files are the descriptors that the stage is handed, by index.
	Files []File
	// UIDMappings and GIDMappings are written at the sync "idmap".
	UIDMappings, GIDMappings []specs.LinuxIDMapping
	// Trees are the mount trees that the parent opens inside the container's
	// mount namespace when the stage asks for them, by name.
	Trees map[string]Tree
	// Steps are executed by the stage in order.
	Steps []Step
	// Warnings say, a line each, what the configuration asks for and will
	// not get although the container starts.
	Warnings []string
}

// Join says how the stage's process enters the container's cgroup.
type Join int

const (
	JoinNone   Join = iota // it stays where its parent is
	JoinClone              // it is created there (CLONE_INTO_CGROUP)
	JoinAttach             // the parent moves it at the sync "cgroup"
	JoinSelf               // it moves itself into each v1 hierarchy's, which the parent has made at the sync "cgroup"
)

// String names the way.
func (j Join) String() string {
	return [...]string{"none", "clone", "attach", "self"}[j]
}

// File is a descriptor that the parent opens for the stage.
type File struct {
	Kind           FileKind
	Path           string                 // of a namespace
	UIDMap, GIDMap []specs.LinuxIDMapping // of a user namespace made for an idmapped mount
}

// FileKind says what a File is.
type FileKind int

const (
	FileProc            FileKind = iota // the host's proc file system, verified
	FileNamespace                       // a namespace to join, by path
	FileUserNS                          // a user namespace that holds an idmapped mount's mappings
	FileStartSocket                     // the socket on which the stage waits for start
	FilePidfd                           // a pidfd of the container's first process, whose namespaces are joined
	FileContainerUserNS                 // the user namespace of that process
	FileClock                           // 8 bytes for each step, where the stage writes when it ended, in nanoseconds since 1970
)

// String names the kind.
func (k FileKind) String() string {
	return [...]string{"proc", "namespace", "user-namespace", "start-socket", "pidfd", "container-user-namespace", "clock"}[k]
}

// Tree is a mount tree that only the parent can open: the stage, in a user
// namespace, may lack the right to reach its source or to idmap it.
type Tree struct {
	Source    string
	Recursive bool
	NoFollow  bool // Source may be a symbolic link, which is then mounted itself
	// UIDMap and GIDMap idmap the tree; empty for none. With Container the
	// container's own user namespace does.
	UIDMap, GIDMap []specs.LinuxIDMapping
	Container      bool
	MapRecursive   bool
}

// Options are what the caller says beyond the configuration.
type Options struct {
	ID     string
	Bundle string // absolute path of the bundle
	Rootfs string // absolute path of the root file system, symbolic links resolved

	NoPivot      bool
	NoNewKeyring bool
	PreserveFDs  int  // descriptors from 3 on that the program keeps
	WaitForStart bool // create: the stage waits on its start socket

	Join        Join
	Entrances   []Entrance        // with JoinSelf
	CgroupPaths map[string]string // v1: controller to the directory of the container's cgroup on the host; v2: "" to it

	Seccomp Filter

	HookEnv []string // variables that hooks get besides their own, unless these have them
	Clock   bool     // the stage records when each step ends
}

// Entrance is a file through which the stage moves itself into a cgroup.
type Entrance struct {
	File     string
	Optional bool // it may not exist
}

// Filter is a compiled seccomp filter.
type Filter struct {
	Program []byte // struct sock_filter, host byte order
	Flags   uint32 // SECCOMP_FILTER_FLAG_*
	Notify  bool
}

// Names of the syncs: at each the stage stops until its parent answers.
const (
	SyncCgroup  = "cgroup"  // the parent makes the cgroup and moves the stage into it, unless the stage does
	SyncIDMap   = "idmap"   // the parent writes uid_map, gid_map and setgroups
	SyncNetwork = "network" // the parent moves network devices in
	SyncHooks   = "hooks"   // the parent runs prestart and createRuntime hooks
	SyncConsole = "console" // the message carries the terminal's master
	SyncSeccomp = "seccomp" // the message carries the notify listener
)

// compiler gathers a plan while its sections are compiled.
type compiler struct {
	spec  *specs.Spec
	facts Facts
	opts  Options
	ns    namespaces
	plan  *Plan

	restorer Restorer
}

// section compiles one part of the configuration into steps.
type section func(*compiler) error

// createOrder is the order of events in a container's creation.
var createOrder = []section{
	(*compiler).launch,
	(*compiler).early,
	(*compiler).enterCgroupFirst,
	(*compiler).joinNamespaces,
	(*compiler).newUserNamespace,
	(*compiler).newNamespaces,
	(*compiler).enterCgroup,
	(*compiler).newCgroupNamespace,
	(*compiler).forkPidNamespace,
	(*compiler).network,
	(*compiler).session,
	(*compiler).keyring,
	(*compiler).names,
	(*compiler).root,
	(*compiler).mounts,
	(*compiler).devices,
	(*compiler).createHooks,
	(*compiler).enterRoot,
	(*compiler).finishRoot,
	(*compiler).console,
	(*compiler).readonlyMounts,
	(*compiler).sysctls,
	(*compiler).readonlyPaths,
	(*compiler).maskedPaths,
	(*compiler).identity,
}

// Compile turns the configuration into a plan. The configuration has been
// validated by package spec; an error here is a *SpecError (the
// configuration contradicts the host or itself) or *UnsupportedError (the
// host lacks what it asks for).
func Compile(s *specs.Spec, facts Facts, opts Options) (*Plan, error) {
	if s.Linux == nil {
		s.Linux = &specs.Linux{}
	}
	return compile(s, facts, opts, createOrder)
}

func compile(s *specs.Spec, facts Facts, opts Options, order []section) (*Plan, error) {
	c := &compiler{spec: s, facts: facts, opts: opts, plan: &Plan{Join: opts.Join}}
	return c.compile(order)
}

func (c *compiler) compile(order []section) (*Plan, error) {
	if refused := c.facts.Refused; len(refused) > 0 {
		c.do("doing without what is refused here", OpWithout, list(refused))
	}
	for _, part := range order {
		if err := part(c); err != nil {
			return nil, err
		}
	}
	return c.plan, nil
}

// clock has the stage record the time from here on.
func (c *compiler) clock() {
	if c.opts.Clock {
		c.do("recording the time of each step", OpClock, c.file(File{Kind: FileClock}))
	}
}

// do appends a step.
func (c *compiler) do(doing string, op Op, args ...Value) {
	if len(args) != len(definitions[op].signature) {
		panic(fmt.Sprintf("plan: %v takes %d arguments, got %d", op, len(definitions[op].signature), len(args)))
	}
	c.plan.Steps = append(c.plan.Steps, Step{op, args, doing})
}

// warn appends a warning, once.
func (c *compiler) warn(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(c.plan.Warnings, text) {
		c.plan.Warnings = append(c.plan.Warnings, text)
	}
}

// file adds a descriptor to hand over and gives its index.
func (c *compiler) file(f File) Value {
	c.plan.Files = append(c.plan.Files, f)
	return num(len(c.plan.Files) - 1)
}

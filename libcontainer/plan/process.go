package plan

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// session makes the process the leader of a session of its own.
func (c *compiler) session() error {
	c.do("creating a session", OpSession)
	return nil
}

// keyring gives the container a session keyring, so that it does not share
// its parent's. Whoever joins the container later may search it: its owner,
// or in a user namespace anyone who has it.
func (c *compiler) keyring() error {
	const userSearch, otherSearch = 0x00080000, 0x00000008 // KEY_USR_SEARCH, KEY_OTH_SEARCH
	permissions := uint64(userSearch)
	if c.ns.has(unix.CLONE_NEWUSER) {
		permissions = otherSearch
	}
	c.sessionKeyring(permissions)
	return nil
}

// sessionKeyring joins the container's keyring, which is made where there is
// none, and adds permissions to it.
func (c *compiler) sessionKeyring(permissions uint64) {
	if c.opts.NoNewKeyring {
		return
	}
	if label := c.selinuxLabel(); label != "" {
		c.do("labelling the keyring", OpWriteProc, str("thread-self/attr/keycreate"), str(label))
	}
	c.do("joining a session keyring", OpKeyring, str("_ses."+c.opts.ID), num(permissions))
}

// console makes the terminal in the container's devpts and sends its master up.
// Spec: config.md#process
func (c *compiler) console() error {
	c.terminal(c.ns.has(unix.CLONE_NEWNS))
	return nil
}

// terminal makes one where the process wants it; mount puts it at /dev/console.
func (c *compiler) terminal(mount bool) {
	p := c.spec.Process
	if p == nil || !p.Terminal {
		return
	}
	var rows, columns uint
	if p.ConsoleSize != nil {
		rows, columns = p.ConsoleSize.Height, p.ConsoleSize.Width
	}
	c.do("creating the terminal", OpConsole, num(rows), num(columns), truth(mount))
}

// identityOrder is the order in which the stage becomes the container's
// process: with every step it may do less.
var identityOrder = []func(*compiler, *specs.Process) error{
	(*compiler).labels,
	(*compiler).scheduling,
	(*compiler).memory,
	(*compiler).rlimits,
	(*compiler).noNewPrivileges,
	(*compiler).user,
	(*compiler).capabilities,
	(*compiler).find,
	(*compiler).waitForStart,
	(*compiler).closeFiles,
	(*compiler).lateSeccomp,
	(*compiler).startHooks,
	(*compiler).exec,
}

// identity turns the stage into the container's process. Without one in the
// configuration there is a container that waits and cannot be started.
// Spec: config.md#process: it is required when start is called.
func (c *compiler) identity() error {
	p := c.spec.Process
	if p == nil {
		return c.waitForStart(nil)
	}
	for _, compile := range identityOrder {
		if err := compile(c, p); err != nil {
			return err
		}
	}
	return nil
}

// labels asks the security modules for a label at exec.
// Spec: config.md#process (apparmorProfile, selinuxLabel)
func (c *compiler) labels(p *specs.Process) error {
	if p.ApparmorProfile != "" {
		if !c.facts.AppArmor {
			return &UnsupportedError{"process.apparmorProfile", "AppArmor", "remove the profile, or boot with apparmor=1"}
		}
		c.do("applying the AppArmor profile "+p.ApparmorProfile, OpWriteProc,
			str("thread-self/attr/apparmor/exec"), str("exec "+p.ApparmorProfile))
	}
	if p.SelinuxLabel != "" && !c.facts.SELinux {
		return &UnsupportedError{"process.selinuxLabel", "SELinux: selinux label is specified in config, but selinux is disabled or not supported", ""}
	}
	if c.spec.Linux.MountLabel != "" && !c.facts.SELinux {
		c.warn("linux.mountLabel: ignored: selinux is disabled or not supported")
	}
	if label := c.selinuxLabel(); label != "" {
		c.do("setting the SELinux label "+label, OpWriteProc, str("thread-self/attr/exec"), str(label))
	}
	return nil
}

// hasLabels tells whether the process gets a label of a security module.
func (c *compiler) hasLabels() bool {
	return c.spec.Process.ApparmorProfile != "" || c.selinuxLabel() != ""
}

func (c *compiler) selinuxLabel() string {
	if c.spec.Process == nil || !c.facts.SELinux {
		return ""
	}
	return c.spec.Process.SelinuxLabel
}

// noNewPrivileges comes after the labels, whose transition it would forbid.
func (c *compiler) noNewPrivileges(p *specs.Process) error {
	if p.NoNewPrivileges {
		c.do("setting process.noNewPrivileges", OpNoNewPrivs)
	}
	return nil
}

// user changes the identity. The working directory is entered before, with
// the rights of root, or else after, with those of the user.
// Spec: config.md#posix-platform-user
func (c *compiler) user(p *specs.Process) error {
	chdir := "changing the working directory to " + p.Cwd
	c.do(chdir, OpChdir, str(p.Cwd), num(0))
	if !hasEnv(p.Env, "HOME") {
		c.do("looking up the home directory", OpHome, num(p.User.UID))
	}
	keep := c.capabilitySet(p, func(s *specs.LinuxCapabilities) []string { return s.Bounding })
	c.do("limiting the capabilities", OpBounding, num(keep))
	c.do("giving the standard streams to the user", OpOwnStdio, num(p.User.UID))
	if err := c.groups(p.User.AdditionalGids); err != nil {
		return err
	}
	doing := fmt.Sprintf("becoming user %d and group %d", p.User.UID, p.User.GID)
	c.do(doing, OpUser, num(p.User.UID), num(p.User.GID))
	c.do(chdir, OpChdir, str(p.Cwd), num(1))
	mask := uint32(0o022)
	if p.User.Umask != nil {
		mask = *p.User.Umask
	}
	c.do("setting the umask", OpUmask, num(mask))
	return nil
}

// keepGroups lets the process keep the groups of its creator.
// Compat(crun): podman sets it for --group-add keep-groups.
const keepGroups = "run.oci.keep_original_groups"

// groups sets the supplementary groups. Where setgroups(2) is denied, the
// process keeps those of its creator, of which most are not mapped.
func (c *compiler) groups(additional []uint32) error {
	switch {
	case c.facts.SetgroupsDenied && len(additional) > 0:
		return &SpecError{"process.user.additionalGids", "config.md#posix-platform-user",
			"cannot set any additional groups in a rootless container that maps only its owner's group"}
	case c.facts.SetgroupsDenied, c.spec.Annotations[keepGroups] == "1" && len(additional) == 0:
		return nil
	}
	c.do("setting the additional groups", OpGroups, raw(gids(additional)))
	return nil
}

func gids(ids []uint32) []byte {
	b := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		b = binary.NativeEndian.AppendUint32(b, id)
	}
	return b
}

// hasEnv tells whether a variable is set to something.
func hasEnv(env []string, key string) bool { return envValue(env, key) != "" }

func envValue(env []string, key string) string {
	value := ""
	for _, e := range env {
		if v, found := strings.CutPrefix(e, key+"="); found {
			value = v
		}
	}
	return value
}

// find looks for the program before the wait for start: engines expect
// create to fail where there is none.
func (c *compiler) find(p *specs.Process) error {
	if len(p.Args) == 0 {
		return &SpecError{"process.args", "config.md#process", "args must not be empty"}
	}
	c.do("exec: "+strconv.Quote(p.Args[0]), OpFind, str(p.Args[0]), str(envValue(p.Env, "PATH")))
	return nil
}

// waitForStart ends creation. A filter that notifies is loaded before, while
// the parent is there to pass its listener on.
func (c *compiler) waitForStart(*specs.Process) error {
	if c.opts.WaitForStart && !c.facts.Privileged {
		// Without privilege, the right to join a process's namespaces is that to look into it.
		c.do("letting its owner enter the container", OpDumpable, num(1))
	}
	if c.opts.Seccomp.Notify {
		c.seccomp()
	}
	c.do("finishing the creation", OpReady)
	if c.opts.WaitForStart {
		c.do("waiting for start", OpAwaitStart, c.file(File{Kind: FileStartSocket}))
	}
	return nil
}

// startHooks runs the startContainer hooks.
// Spec: config.md#startcontainer-hooks
func (c *compiler) startHooks(p *specs.Process) error {
	if c.spec.Hooks == nil {
		return nil
	}
	return c.hooks("startContainer", c.spec.Hooks.StartContainer, specs.StateCreated, environment(p.Env))
}

// closeFiles has exec close all descriptors but those that are the program's.
// CVE-2024-21626: a descriptor of the host leaks into the container.
func (c *compiler) closeFiles(*specs.Process) error {
	c.do("closing files", OpCloseFiles, num(3+c.opts.PreserveFDs))
	return nil
}

// lateSeccomp loads the filter as the last thing before exec: no profile has
// to allow a call of ours. startContainer hooks run under it, as the program does.
func (c *compiler) lateSeccomp(*specs.Process) error {
	if len(c.opts.Seccomp.Program) > 0 && !c.opts.Seccomp.Notify {
		c.seccomp()
	}
	return nil
}

func (c *compiler) seccomp() {
	f := c.opts.Seccomp
	c.do("loading the seccomp filter", OpSeccomp, raw(f.Program), num(f.Flags), num(c.listener()))
}

// listener says how the parent gets it. Where the filter notifies of sendmsg(2),
// the stage would wait for an answer before there is anybody to give one.
// Compat(runc): it takes the descriptor. bypass4netns has such a filter.
func (c *compiler) listener() int {
	l := c.spec.Linux.Seccomp
	switch {
	case !c.opts.Seccomp.Notify:
		return ListenerNone
	case l != nil && slices.ContainsFunc(l.Syscalls, notifiesOfSending):
		return ListenerTaken
	}
	return ListenerSent
}

func notifiesOfSending(rule specs.LinuxSyscall) bool {
	return rule.Action == specs.ActNotify && slices.Contains(rule.Names, "sendmsg")
}

// exec is the last step.
// Compat(runc): how its error begins.
func (c *compiler) exec(p *specs.Process) error {
	c.do("exec "+p.Args[0], OpExec, list(p.Args), list(environment(p.Env)))
	return nil
}

// environment keeps the last of several variables of one name. Where there is
// no HOME, or an empty one, which counts as none, "HOME=" leaves a place for
// what the stage looks up.
func environment(env []string) []string {
	last := make(map[string]int, len(env))
	for i, e := range env {
		name, _, _ := strings.Cut(e, "=")
		last[name] = i
	}
	kept := make([]string, 0, len(env)+1)
	for i, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if last[name] == i && e != "HOME=" {
			kept = append(kept, e)
		}
	}
	if !hasEnv(env, "HOME") {
		kept = append(kept, "HOME=")
	}
	return kept
}

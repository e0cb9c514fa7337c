package plan

import (
	"path"
	"sort"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// propagationFlags is rootfsPropagation in the kernel's words; 0 for none.
// Spec: config-linux.md#rootfs-mount-propagation
func propagationFlags(name string) uint64 {
	for _, o := range propagationOptions {
		if name == o.name {
			return o.flag
		}
		if name == "r"+o.name {
			return o.flag | unix.MS_REC
		}
	}
	return 0
}

// root makes the root file system a mount of its own in the container's
// mount namespace, at its place on the host so that hooks find it.
// Spec: config.md#root
func (c *compiler) root() error {
	if c.ns.has(unix.CLONE_NEWNS) {
		flags := propagationFlags(c.spec.Linux.RootfsPropagation)
		if flags == 0 {
			flags = unix.MS_SLAVE | unix.MS_REC
		}
		c.do("setting the propagation of mounts from the host", OpPropagate, str("/"), num(flags))
	}
	c.do("mounting the root file system "+c.opts.Rootfs, OpRoot, str(c.opts.Rootfs), num(c.rootMode()))
	return nil
}

// MountsOnHost tells whether the container's mounts are made in the runtime's
// own mount namespace, below its root file system, for want of one of its own.
// A root file system that is to be read-only is such a mount.
// Spec: config-linux.md#namespaces
func MountsOnHost(s *specs.Spec) bool {
	if s.Linux != nil {
		for _, ns := range s.Linux.Namespaces {
			if ns.Type == specs.MountNamespace {
				return false
			}
		}
	}
	return len(s.Mounts) > 0 || s.Root != nil && s.Root.Readonly
}

// rootMode says how the root becomes a mount. A slave cannot carry mounts to
// the host; where another propagation is asked for, its parent is cut off.
func (c *compiler) rootMode() int {
	switch {
	case MountsOnHost(c.spec):
		return rootOnHost
	case !c.ns.has(unix.CLONE_NEWNS):
		return rootOpen
	case propagationFlags(c.spec.Linux.RootfsPropagation)&^unix.MS_REC&^unix.MS_SLAVE == 0:
		return rootMount
	default:
		return rootIsolated
	}
}

// enterRoot leaves the host's file systems behind.
func (c *compiler) enterRoot() error {
	switch {
	case !c.ns.has(unix.CLONE_NEWNS):
		c.do("changing the root to "+c.opts.Rootfs, OpChroot)
	case c.opts.NoPivot:
		c.do("moving the root to "+c.opts.Rootfs, OpMoveRoot, list(c.hiddenMounts()))
	default:
		c.do("pivoting the root to "+c.opts.Rootfs, OpPivot)
	}
	return nil
}

// hiddenMounts are the host's whole proc and sysfs mounts outside the root:
// in reach after chroot(2), they would let the container mount its own unmasked.
func (c *compiler) hiddenMounts() []string {
	var hidden []string
	for _, m := range c.facts.FullProcMounts {
		if m != c.opts.Rootfs && !strings.HasPrefix(m, c.opts.Rootfs+"/") {
			hidden = append(hidden, m)
		}
	}
	return hidden
}

// finishRoot is what needs the container's own view of its files.
func (c *compiler) finishRoot() error {
	flags := propagationFlags(c.spec.Linux.RootfsPropagation)
	if flags&^unix.MS_REC != 0 && flags&unix.MS_PRIVATE == 0 && c.ns.has(unix.CLONE_NEWNS) {
		c.do("setting linux.rootfsPropagation", OpPropagate, str("/"), num(flags))
	}
	if c.setsUpDev() {
		c.do("taking /dev/null from the container", OpReopenNull)
	}
	if p := c.spec.Process; p != nil && path.Clean(p.Cwd) != "/" {
		c.do("creating the working directory "+p.Cwd, OpMkdir, str(p.Cwd))
	}
	return nil
}

// sysctls sets kernel parameters of the container's namespaces, which
// package spec has checked to be its own.
// Spec: config-linux.md#sysctl
func (c *compiler) sysctls() error {
	keys := make([]string, 0, len(c.spec.Linux.Sysctl))
	for key := range c.spec.Linux.Sysctl {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		c.do("setting the sysctl "+key, OpWriteProc, str("sys/"+sysctlPath(key)), str(c.spec.Linux.Sysctl[key]))
	}
	return nil
}

// sysctlPath understands both spellings of sysctl(8): net.ipv4.conf.eth0/1.x
// and net/ipv4/conf/eth0.1/x.
func sysctlPath(key string) string {
	first := strings.IndexAny(key, "./")
	if first < 0 || key[first] == '/' {
		return key
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, key)
}

// readonlyPaths makes parts of the container's files read-only.
// Spec: config-linux.md#readonly-paths
func (c *compiler) readonlyPaths() error {
	if len(c.spec.Linux.ReadonlyPaths) > 0 && !c.ns.has(unix.CLONE_NEWNS) {
		return &SpecError{"linux.readonlyPaths", "config-linux.md#readonly-paths", "they need a mount namespace"}
	}
	for _, p := range c.spec.Linux.ReadonlyPaths {
		c.do("making "+p+" read-only", OpReadonly, str(path.Clean(p)))
	}
	return nil
}

// maskedPaths hides parts of the container's files: a file below /dev/null,
// a directory below an empty one, which all of them share.
// Spec: config-linux.md#masked-paths
func (c *compiler) maskedPaths() error {
	paths := c.spec.Linux.MaskedPaths
	if len(paths) == 0 {
		return nil
	}
	if !c.ns.has(unix.CLONE_NEWNS) {
		return &SpecError{"linux.maskedPaths", "config-linux.md#masked-paths", "they need a mount namespace"}
	}
	options := []string{"ro", "nr_blocks=1", "nr_inodes=2"}
	if c.facts.SELinux && c.spec.Linux.MountLabel != "" {
		options = append(options, "context="+c.spec.Linux.MountLabel)
	}
	c.do("making an empty directory to mask with", OpEmpty, list(options))
	seen := make(map[string]bool, len(paths))
	for _, p := range paths {
		if clean := path.Clean(p); !seen[clean] {
			seen[clean] = true
			c.do("masking "+p, OpMask, str(clean))
		}
	}
	return nil
}

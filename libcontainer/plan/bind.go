package plan

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// bind mounts a file or directory of the host.
// Spec: config.md#linux-mount-options
func (c *compiler) bind(m *specs.Mount, o *mountOptions, dest string) error {
	doing := "mounting " + m.Source + " at " + dest
	if o.recursive {
		doing = "recursively " + doing
	}
	if err := c.bindTree(doing, c.bindSource(m), m, o); err != nil {
		return err
	}
	if o.changes() {
		c.do(doing, OpSetAttr, num(o.set), num(o.clear), num(o.reset()), num(0), num(0))
	}
	c.finishMount(doing, o, dest, attachFlags("bind", o, dest))
	return nil
}

func isBind(m *specs.Mount, o *mountOptions) bool { return o.bind || m.Type == "bind" }

// bindSource is the source's absolute path.
func (c *compiler) bindSource(m *specs.Mount) string {
	if path.IsAbs(m.Source) {
		return m.Source
	}
	return path.Join(c.opts.Bundle, m.Source)
}

// bindTree has the stage hold the tree: opened by itself, or by its parent
// where the stage's user namespace may keep it from the source. Where
// open_tree(2) is refused, no other can open it for the stage.
func (c *compiler) bindTree(doing, source string, m *specs.Mount, o *mountOptions) error {
	tree, mapped, err := c.mapping(source, m, o)
	if err != nil {
		return err
	}
	if c.ns.has(unix.CLONE_NEWUSER) && c.facts.Privileged && !slices.Contains(c.facts.Refused, "open_tree") {
		c.parentTree(doing, tree)
		return nil
	}
	c.openTree(doing, source, o)
	if mapped {
		userns := c.file(File{Kind: FileUserNS, UIDMap: tree.UIDMap, GIDMap: tree.GIDMap})
		c.do("mapping the ids of "+source, OpMapTree, userns, truth(tree.MapRecursive))
	}
	return nil
}

// openTree has the stage open the tree itself.
func (c *compiler) openTree(doing, source string, o *mountOptions) {
	flags := uint64(0)
	if o.recursive {
		flags |= unix.AT_RECURSIVE
	}
	if o.sourceNoFollow {
		flags |= unix.AT_SYMLINK_NOFOLLOW
	}
	c.do(doing, OpOpenTree, str(source), num(flags))
}

// parentTree asks the parent for a tree at the moment of the step, when all
// earlier mounts are there to be part of it.
func (c *compiler) parentTree(doing string, tree Tree) {
	if c.plan.Trees == nil {
		c.plan.Trees = map[string]Tree{}
	}
	name := "tree " + strconv.Itoa(len(c.plan.Trees))
	c.plan.Trees[name] = tree
	c.do(doing, OpTakeTree, str(name))
}

// mapping sorts out the three ways to ask for an idmapped mount.
// Spec: config.md#posix-platform-mounts
func (c *compiler) mapping(source string, m *specs.Mount, o *mountOptions) (Tree, bool, error) {
	tree := Tree{Source: source, Recursive: o.recursive, NoFollow: o.sourceNoFollow, UIDMap: m.UIDMappings, GIDMap: m.GIDMappings, MapRecursive: o.ridmap}
	if o.idmapOption != "" {
		if err := tree.parseOption(o.idmapOption, c.spec.Linux); err != nil {
			return tree, false, &SpecError{"mounts: " + m.Destination, mountsSection, err.Error()}
		}
	}
	if !o.idmap && !o.ridmap && len(tree.UIDMap) == 0 && len(tree.GIDMap) == 0 {
		return tree, false, nil
	}
	if !c.facts.Privileged {
		return tree, false, &SpecError{"mounts: " + m.Destination, mountsSection, "id-mapped mounts are not supported for rootless containers"}
	}
	if len(tree.UIDMap) == 0 && len(tree.GIDMap) == 0 {
		if !c.ns.has(unix.CLONE_NEWUSER) {
			return tree, false, &SpecError{"mounts: " + m.Destination, mountsSection,
				"idmap without mappings takes those of the container's user namespace, and there is none"}
		}
		tree.Container = true
	}
	return tree, true, nil
}

// Compat(crun): idmap=uids=FROM-TO-SIZE#...;gids=..., with @ before FROM for
// a host id relative to the container's user namespace.
func (t *Tree) parseOption(option string, linux *specs.Linux) error {
	for _, part := range strings.Split(option, ";") {
		kind, ranges, found := strings.Cut(part, "=")
		if !found {
			return fmt.Errorf("idmap option %q is not uids=... or gids=...", part)
		}
		var into *[]specs.LinuxIDMapping
		var container []specs.LinuxIDMapping
		switch kind {
		case "uids":
			into, container = &t.UIDMap, linux.UIDMappings
		case "gids":
			into, container = &t.GIDMap, linux.GIDMappings
		default:
			return fmt.Errorf("idmap option names %q, neither uids nor gids", kind)
		}
		for _, r := range strings.Split(ranges, "#") {
			mapping, err := parseRange(r, container)
			if err != nil {
				return err
			}
			*into = append(*into, mapping)
		}
	}
	return nil
}

func parseRange(text string, container []specs.LinuxIDMapping) (specs.LinuxIDMapping, error) {
	var m specs.LinuxIDMapping
	numbers, relative := strings.CutPrefix(text, "@")
	fields := strings.Split(numbers, "-")
	if len(fields) != 3 {
		return m, fmt.Errorf("idmap range %q is not FROM-TO-SIZE", text)
	}
	var n [3]uint32
	for i, f := range fields {
		v, err := strconv.ParseUint(f, 10, 32)
		if err != nil {
			return m, fmt.Errorf("idmap range %q has no number at %q", text, f)
		}
		n[i] = uint32(v)
	}
	m = specs.LinuxIDMapping{ContainerID: n[0], HostID: n[1], Size: n[2]}
	if relative {
		host, ok := hostID(container, m.HostID)
		if !ok {
			return m, fmt.Errorf("idmap range %q: id %d is not mapped in the container", text, m.HostID)
		}
		m.HostID = host
	}
	return m, nil
}

func hostID(mappings []specs.LinuxIDMapping, id uint32) (uint32, bool) {
	for _, m := range mappings {
		if id >= m.ContainerID && id-m.ContainerID < m.Size {
			return m.HostID + (id - m.ContainerID), true
		}
	}
	return 0, false
}

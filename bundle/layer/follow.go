package layer

import (
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links may be on the way to a file.
const maxLinks = 255

// followLinks brings what was put into directories that are links, in this
// layer or below, to where the links lead.
func (u *unpacker) followLinks() error {
	for progress := true; progress; {
		progress = len(u.orphans) > 0
		unsure := u.unsure
		u.unsure = nil
		for _, n := range unsure {
			if n.parent == nil {
				continue
			}
			if u.inAside(n) { // Where it belongs is not known yet.
				u.unsure = append(u.unsure, n)
				continue
			}
			progress = true
			if err := u.ctx.Err(); err != nil {
				return err
			}
			if err := u.followNode(n); err != nil {
				return &EntryError{n.path(), err}
			}
		}
		if err := u.followOrphans(); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) followNode(n *node) error {
	switch {
	case n.kind == symlink && n.link.through != nil:
		through := n.link.through
		n.link.through = nil
		return u.redirect(n.parent, n.link.target, through)
	case n.implicit():
		return u.followBelow(n)
	}
	return nil
}

// followOrphans does the same for links that were replaced in the same layer.
func (u *unpacker) followOrphans() error {
	for len(u.orphans) > 0 {
		o := u.orphans[0]
		u.orphans = u.orphans[1:]
		at, err := u.walk(u.root, o.at, new(int))
		if err == nil {
			err = u.redirect(at, o.target, o.through)
		}
		if err != nil {
			return &EntryError{o.at, err}
		}
	}
	return nil
}

func (u *unpacker) inAside(n *node) bool {
	for ; n != nil; n = n.parent {
		if n == u.aside {
			return true
		}
	}
	return false
}

// followBelow redirects a directory that is a link in the layers below.
func (u *unpacker) followBelow(n *node) error {
	target, isLink, err := u.linkBelow(n.parent, n.name)
	if err != nil || !isLink || n.hides {
		return err
	}
	parent := n.parent
	delete(parent.dir.children, n.name)
	return u.redirect(parent, target, n)
}

// linkBelow is the target of a link that the layers below have in a directory.
func (u *unpacker) linkBelow(parent *node, name string) (string, bool, error) {
	view, err := u.view(parent)
	if err != nil {
		return "", false, err
	}
	found, err := u.lookup(view, name)
	if err != nil || found.format() != unix.S_IFLNK {
		return "", false, err
	}
	target, err := u.readLink(found)
	return target, true, err
}

// redirect moves what is in a directory to where a link in another leads.
func (u *unpacker) redirect(at *node, target string, from *node) error {
	u.mtime = from.dir.mtime
	to, err := u.walk(at, target, new(int))
	if err != nil {
		return err
	}
	if err := u.merge(from, to); err != nil {
		return err
	}
	from.detach()
	return nil
}

// walk goes from a directory along a path, links included, and makes
// directories of what is not there.
func (u *unpacker) walk(at *node, path string, links *int) (*node, error) {
	if strings.HasPrefix(path, "/") {
		at = u.root
	}
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, "/")
		switch name {
		case "", ".":
		case "..":
			if at.parent != nil {
				at = at.parent
			}
		default:
			var err error
			if at, err = u.walkStep(at, name, links); err != nil {
				return nil, err
			}
		}
	}
	return at, nil
}

func (u *unpacker) walkStep(at *node, name string, links *int) (*node, error) {
	n := at.child(name)
	target, isLink := "", false
	switch {
	case n != nil && n.kind == symlink:
		target, isLink = n.link.target, true
	case n == nil || (n.kind == nothing || n.implicit()) && !n.hides:
		var err error
		if target, isLink, err = u.linkBelow(at, name); err != nil {
			return nil, err
		}
	}
	if !isLink {
		return u.step(at, name)
	}
	if *links++; *links > maxLinks {
		return nil, errLoop
	}
	return u.walk(at, target, links)
}

// merge moves what is in one directory of the layer into another. Where both
// have something, what came later in the archive stays.
func (u *unpacker) merge(from, to *node) error {
	if from == to {
		return nil
	}
	to.mark()
	if from.dir.opaque && !to.dir.opaque {
		to.dir.opaque = true
		to.forgetBelow()
	}
	for _, c := range from.bySeq() {
		if err := u.mergeChild(c, to); err != nil {
			return err
		}
	}
	return u.removeEmpty(from)
}

// forgetBelow forgets what was found out about what is below a directory's
// children.
func (n *node) forgetBelow() {
	for _, c := range n.dir.children {
		if c.kind == directory {
			c.dir.below, c.dir.belowKnown = nil, false
			c.forgetBelow()
		}
	}
}

// removeEmpty removes the directory on disk whose content was moved.
func (u *unpacker) removeEmpty(n *node) error {
	if !n.dir.made {
		return nil
	}
	parent, err := u.open(n.parent)
	if err != nil {
		return err
	}
	u.dirs.drop(&n.dir.slot)
	return removeAll(parent, n.name)
}

// mergeChild moves one node into a directory that may have its name already.
func (u *unpacker) mergeChild(c, to *node) error {
	e := to.child(c.name)
	switch {
	case e == nil || e.kind == nothing:
		hides := e != nil && e.hides
		if err := u.move(c, to); err != nil {
			return err
		}
		c.hides = c.hides || hides
		return nil
	case c.kind == nothing:
		e.hides = e.hides || c.hides
		c.detach()
		return nil
	case c.kind == directory && e.kind == directory:
		return u.mergeDirectories(c, e)
	case c.implicit() && e.kind == symlink:
		return u.redirect(to, e.link.target, c)
	case c.seq < e.seq:
		err := u.remove(c)
		c.detach()
		return err
	}
	if err := u.remove(e); err != nil {
		return err
	}
	if err := u.move(c, to); err != nil {
		return err
	}
	c.hides = true
	return nil
}

func (u *unpacker) mergeDirectories(c, e *node) error {
	if c.dir.meta != nil && (e.dir.meta == nil || c.seq > e.seq) {
		e.dir.meta, e.seq = c.dir.meta, c.seq
	}
	if c.hides && !e.hides {
		e.hides = true
		e.dir.below, e.dir.belowKnown = nil, false
		e.forgetBelow()
	}
	if err := u.merge(c, e); err != nil {
		return err
	}
	c.detach()
	return nil
}

// move moves a node and its file.
func (u *unpacker) move(c, to *node) error {
	if c.kind == symlink || c.kind == other || c.kind == directory && c.dir.made {
		source, err := u.open(c.parent)
		if err != nil {
			return err
		}
		dest, err := u.open(to)
		if err != nil {
			return err
		}
		if err := unix.Renameat2(source, c.name, dest, c.name, unix.RENAME_NOREPLACE); err != nil {
			return err
		}
	}
	delete(c.parent.dir.children, c.name)
	to.adopt(c)
	if c.kind == directory {
		c.dir.below, c.dir.belowKnown = nil, false
		c.forgetBelow()
	}
	return nil
}

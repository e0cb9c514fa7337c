package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/config/users"
	"github.com/davit-containers/davit/shim/build/dockerfile"
)

// prepareCopy reads what is copied.
func (p *prepared) prepareCopy(ctx context.Context) error {
	c := p.step.Copy
	if c.Remote != nil {
		f, err := p.m.b.download(ctx, c.Remote)
		p.fetched = f
		return err
	}
	if len(c.Paths) == 0 {
		return nil // the contents stand in the Dockerfile, and so in the key
	}
	tree, err := p.m.b.from(ctx, c.From)
	if err != nil {
		return err
	}
	if p.sources, err = tree.choose(c); err != nil {
		return fmt.Errorf("%s: %w", sourceName(c.From), err)
	}
	if len(p.sources) > 1 && !strings.HasSuffix(c.Dest, "/") {
		return fmt.Errorf("%s: with several sources it is a directory, and ends in a slash", c.Dest)
	}
	sum, err := digest(p.sources)
	p.inputs = append(p.inputs, sum)
	return err
}

// sourceName is what a person calls a source.
func sourceName(s dockerfile.Source) string {
	switch s.Kind {
	case dockerfile.FromStage:
		return "stage " + s.Stage.Name
	case dockerfile.FromImage:
		return "image " + s.Image
	}
	return string(s.Kind)
}

// copy is COPY and ADD.
func (p *prepared) copy(ctx context.Context, r *root, j *job) error {
	c := p.step.Copy
	to, err := p.owner(r.file)
	if err != nil {
		return err
	}
	copying := &copier{ctx: ctx, root: r.file, to: to, mode: c.Mode, warn: func(text string) { fmt.Fprintln(j, text) }}
	for _, f := range c.Inline {
		if err := copying.inline(f, c.Dest); err != nil {
			return err
		}
	}
	if p.fetched != nil {
		return p.add(ctx, copying, p.fetched.source(c.Remote.Name))
	}
	for _, s := range p.sources {
		if err := p.add(ctx, copying, s); err != nil {
			return err
		}
	}
	return nil
}

// owner is whom what is copied belongs to: root, unless somebody is named or a
// container's files keep their owners.
func (p *prepared) owner(rootDir *os.File) (*owner, error) {
	c := p.step.Copy
	if c.Owner == "" {
		if c.From.Kind == dockerfile.FromStage || c.From.Kind == dockerfile.FromImage {
			return nil, nil
		}
		return &owner{}, nil
	}
	user, group, hasGroup := strings.Cut(c.Owner, ":")
	if user == "" { // :group
		user = "0"
	}
	if hasGroup && group != "" {
		user += ":" + group
	}
	id, err := users.Lookup(rootDir, user)
	if err != nil {
		return nil, err
	}
	if !hasGroup && isNumber(user) { // Compat(buildkit): the group has the user's number
		id.GID = id.UID
	}
	return &owner{int(id.UID), int(id.GID)}, nil
}

func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// add copies one source, or unpacks it.
func (p *prepared) add(ctx context.Context, copying *copier, s *source) error {
	c := p.step.Copy
	if c.Extract && s.entries[0].kind() == unix.S_IFREG {
		file, err := s.regular(&s.entries[0])
		if err != nil {
			return err
		}
		defer file.Close()
		if isArchive(file) {
			return p.unpack(ctx, copying, s, file)
		}
	}
	dest := c.Dest
	if c.Parents {
		dest = withParents(dest, s)
	}
	at, err := placeFor(copying.root, dest, s.isDir(), s.name, copying.createdFor())
	if err != nil {
		return err
	}
	return copying.source(s, at)
}

// createdFor is whom the directories above the destination belong to.
func (c *copier) createdFor() *owner {
	if c.to == nil {
		return &owner{}
	}
	return c.to
}

// withParents is the destination with the directories that are above a source, but
// for those before "/./".
func withParents(dest string, s *source) string {
	rel := s.rel
	if before, _, ok := strings.Cut(s.pattern, "/./"); ok {
		parts := strings.Split(rel, "/")
		if depth := len(strings.Split(path.Join("/", before), "/")); len(parts) > depth {
			rel = "/" + strings.Join(parts[depth:], "/")
		}
	}
	if s.isDir() {
		return path.Join(dest, rel) + "/"
	}
	return path.Join(dest, path.Dir(rel)) + "/"
}

// unpack unpacks an archive into the destination, which is a directory.
func (p *prepared) unpack(ctx context.Context, copying *copier, s *source, file *os.File) error {
	dir, _, err := makeDirs(copying.root, p.step.Copy.Dest, copying.createdFor())
	if err != nil {
		return err
	}
	defer dir.Close()
	var to *owner
	if p.step.Copy.Owner != "" {
		to = copying.to
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := extract(ctx, file, dir, to, p.m.b.layerOptions()); err != nil {
		return fmt.Errorf("unpacking %s: %w", s.rel, err)
	}
	return nil
}

// inline makes a file whose content stands in the Dockerfile.
func (c *copier) inline(f dockerfile.Inline, dest string) error {
	at, err := placeFor(c.root, dest, false, f.Name, c.createdFor())
	if err != nil {
		return err
	}
	defer at.dir.Close()
	if err := unix.Unlinkat(int(at.dir.Fd()), at.name, 0); err != nil && err != unix.ENOENT {
		return fmt.Errorf("replacing %s: %w", path.Join(at.at, at.name), err)
	}
	fd, err := unix.Openat(int(at.dir.Fd()), at.name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("making %s: %w", path.Join(at.at, at.name), err)
	}
	file := os.NewFile(uintptr(fd), at.name)
	mode := uint32(0o644)
	if c.mode != nil {
		mode = *c.mode
	}
	to := c.createdFor()
	_, err = file.WriteString(f.Data)
	return errors.Join(err, unix.Fchown(fd, to.uid, to.gid), unix.Fchmod(fd, mode), file.Close())
}

// workdir makes a directory unless it is there.
func (p *prepared) workdir(r *root) error {
	w := p.step.Workdir
	to := &owner{}
	if w.User != "" {
		id, err := users.Lookup(r.file, w.User)
		if err != nil {
			return err
		}
		to = &owner{int(id.UID), int(id.GID)}
	}
	dir, _, err := makeDirs(r.file, w.Path, to)
	if err != nil {
		return err
	}
	return dir.Close()
}

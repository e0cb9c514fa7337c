package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/build/dockerfile"
)

// bound is a mount of a RUN, and what it depends on.
type bound struct {
	*dockerfile.Mount
	input   string
	sources []*source // of one from the context
}

// bind finds out what a mount gives.
func (b *builder) bind(ctx context.Context, m *dockerfile.Mount) (*bound, error) {
	out := &bound{Mount: m}
	if m.From == nil {
		return out, nil
	}
	if m.Type == "cache" {
		return nil, errors.New("a cache begins empty [without from=]")
	}
	switch m.From.Kind {
	case dockerfile.FromStage:
		out.input = b.stages[m.From.Stage].key
		return out, nil
	case dockerfile.FromImage:
		f, err := b.image(ctx, m.From.Image, m.From.Platform)
		if err == nil {
			out.input = f.identity()
		}
		return out, err
	case dockerfile.Scratch:
		return out, nil
	}
	return out, b.bindContext(ctx, out)
}

// bindContext reads what of the context is mounted: a copy, without what is left
// out, so that no program writes to a person's files.
func (b *builder) bindContext(ctx context.Context, out *bound) error {
	tree, err := b.from(ctx, *out.From)
	if err != nil {
		return err
	}
	s, err := tree.read(path.Base(path.Join("/", out.Source)), path.Join("/", out.Source), nil)
	if err != nil {
		return err
	}
	out.sources = []*source{s}
	out.input, err = digest(out.sources)
	return err
}

// mounted is what a RUN has besides its root file system.
type mounted struct {
	mounts []specs.Mount
	env    []string
	caches map[string]*cache // by ID
	undo   []func() error
}

// unmount takes all away, the last first.
func (m *mounted) unmount() error {
	var errs []error
	for i := len(m.undo) - 1; i >= 0; i-- {
		errs = append(errs, m.undo[i]())
	}
	return errors.Join(errs...)
}

func (m *mounted) bind(dest, source string, readOnly bool) {
	options := []string{"rbind", "rprivate"}
	if readOnly {
		options = append(options, "ro")
	}
	m.mounts = append(m.mounts, specs.Mount{Destination: dest, Type: "bind", Source: source, Options: options})
}

// mountAll arranges what is mounted. The result is never nil.
func (p *prepared) mountAll(ctx context.Context, r *root) (*mounted, error) {
	out := &mounted{}
	if err := p.openCaches(ctx, out); err != nil {
		return out, err
	}
	for i := range p.mounts {
		m := &p.mounts[i]
		dir := filepath.Join(r.dir, "mount-"+strconv.Itoa(i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return out, err
		}
		if err := p.mountOne(ctx, out, m, dir); err != nil {
			return out, fmt.Errorf("%s mount on %s: %w", m.Type, m.Target, err)
		}
	}
	if script := p.step.Run.Script; script != "" {
		file := filepath.Join(r.dir, "script")
		if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
			return out, err
		}
		if err := os.Chmod(file, 0o755); err != nil {
			return out, err
		}
		out.bind(dockerfile.ScriptPath, file, true)
	}
	return out, nil
}

// mountOne arranges one mount, for which a directory is there.
func (p *prepared) mountOne(ctx context.Context, out *mounted, m *bound, dir string) error {
	switch m.Type {
	case "tmpfs":
		options := []string{"nosuid", "nodev"}
		if m.Size > 0 {
			options = append(options, "size="+strconv.FormatInt(m.Size, 10))
		}
		out.mounts = append(out.mounts, specs.Mount{Destination: m.Target, Type: "tmpfs", Source: "tmpfs", Options: options})
		return nil
	case "secret":
		return p.mountSecret(out, m, dir)
	case "cache":
		return mountCache(out, m, dir)
	}
	if len(m.sources) > 0 {
		return p.mountContext(ctx, out, m, dir)
	}
	return p.mountTree(ctx, out, m, dir)
}

// mountSecret gives a secret in memory, or in the environment.
func (p *prepared) mountSecret(out *mounted, m *bound, dir string) error {
	data, err := p.m.b.secret(m.ID)
	if errors.Is(err, errNoSecret) && !m.Required {
		return nil
	}
	if err != nil {
		return err
	}
	if m.Env != "" {
		out.env = append(out.env, m.Env+"="+string(data))
	}
	if m.Target == "" {
		return nil
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=700,noswap"); err != nil {
		if err = unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=700"); err != nil {
			return err
		}
	}
	out.undo = append(out.undo, func() error { return unix.Unmount(dir, unix.MNT_DETACH) })
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return err
	}
	out.bind(m.Target, file, true)
	return errors.Join(os.Chown(file, orZero(m.UID), orZero(m.GID)), os.Chmod(file, fileMode(m.Mode, 0o400)))
}

func orZero(n *uint32) int {
	if n == nil {
		return 0
	}
	return int(*n)
}

// fileMode is a mode with its bits beyond those of permissions.
func fileMode(given *uint32, otherwise os.FileMode) os.FileMode {
	if given == nil {
		return otherwise
	}
	mode := os.FileMode(*given & 0o777)
	for bit, to := range map[uint32]os.FileMode{0o4000: os.ModeSetuid, 0o2000: os.ModeSetgid, 0o1000: os.ModeSticky} {
		if *given&bit != 0 {
			mode |= to
		}
	}
	return mode
}

// mountContext gives a copy of files of the context.
func (p *prepared) mountContext(ctx context.Context, out *mounted, m *bound, dir string) error {
	s := m.sources[0]
	base, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer base.Close()
	at, err := placeFor(base, "/files", s.isDir(), "files", &owner{})
	if err != nil {
		return err
	}
	copying := &copier{ctx: ctx, root: base, to: &owner{}, warn: func(string) {}}
	if err := copying.source(s, at); err != nil {
		return err
	}
	out.bind(m.Target, filepath.Join(dir, "files"), m.ReadOnly)
	return nil
}

// mountTree gives files of a stage or an image. What is written there is lost.
func (p *prepared) mountTree(ctx context.Context, out *mounted, m *bound, dir string) error {
	b := p.m.b
	var dirs []string
	switch m.From.Kind {
	case dockerfile.FromStage:
		dirs = b.stages[m.From.Stage].dirs
	case dockerfile.FromImage:
		f, err := b.image(ctx, m.From.Image, m.From.Platform)
		if err != nil {
			return err
		}
		dirs = f.dirs
	}
	over := &root{dir: dir}
	if err := over.mount(ctx, dirs, b.support.Userxattr); err != nil {
		return errors.Join(err, over.unmount())
	}
	out.undo = append(out.undo, over.unmount)
	return stage(out, over.file, m, filepath.Join(dir, "part"))
}

// stage binds what a path names in a tree to a place of our own, which nobody else
// can exchange: the runtime is given that one.
// CVE-2024-23651: the path was exchanged between looking and mounting.
func stage(out *mounted, tree *os.File, m *bound, at string) error {
	handle, _, err := (&files{root: tree}).open(path.Join("/", m.Source))
	if err != nil {
		return err
	}
	defer handle.Close()
	info, err := handle.Stat()
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		err = os.Mkdir(at, 0o700)
	case info.Mode().IsRegular():
		err = os.WriteFile(at, nil, 0o600)
	default:
		err = fmt.Errorf("%s is neither a file nor a directory", m.Source)
	}
	if err != nil {
		return err
	}
	fd, err := unix.OpenTree(int(handle.Fd()), "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return err
	}
	out.undo = append(out.undo, func() error { return unix.Unmount(at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) })
	out.bind(m.Target, at, m.ReadOnly)
	return nil
}

// mountCache gives a directory that stays for other builds.
func mountCache(out *mounted, m *bound, dir string) error {
	return stage(out, out.caches[m.ID].tree, m, filepath.Join(dir, "part"))
}

package container

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/userns"

	"github.com/davit-containers/davit/shim/internal/statefile"
)

// Store keeps containers below a root directory, beside the images.
type Store struct {
	root string
	mend func(*Locked, State) error // see MendBy
}

// The parts of the store and of a container.
const (
	containersDir  = "containers"
	namesDir       = "names"
	configFile     = "container.json"
	stateFile      = "state.json"
	lockFile       = "lock"
	supervisorFile = "supervisor"
)

// Open makes the directories, or goes on with those that are there. A
// container's users pass through them to what is mounted, and nobody looks
// around.
// CVE-2021-41091, CVE-2021-41103: files with set-id bits below.
func Open(root string) (*Store, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	s := &Store{root: root}
	for _, dir := range []string{root, s.path(), s.path(namesDir)} {
		if err := passable(dir); err != nil {
			return nil, fmt.Errorf("opening the store of containers: %w", err)
		}
	}
	return s, nil
}

// passable makes a directory, mode 0711 whatever the umask.
func passable(dir string) error {
	err := os.Mkdir(dir, 0o711)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(dir, 0o711)
	}
	if err != nil {
		return err
	}
	return os.Chmod(dir, 0o711)
}

// Root is the directory that the store was opened with, absolute.
func (s *Store) Root() string { return s.root }

func (s *Store) path(names ...string) string {
	return filepath.Join(append([]string{s.root, containersDir}, names...)...)
}

// lock has the names to itself.
func (s *Store) lock() (*statefile.Lock, error) { return statefile.Acquire(s.path("." + lockFile)) }

// systemRun is where root's sockets are.
const systemRun = "/run/davit-shim"

// Run is the directory for what is gone with the machine's boot: sockets, and the
// runtime's states. It is made by whoever needs it. Each root has one of its own.
func (s *Store) Run() string {
	sum := sha256.Sum256([]byte(s.root))
	own := hex.EncodeToString(sum[:6])
	if os.Geteuid() == 0 && !userns.RunningInUserNS() {
		return filepath.Join(systemRun, own)
	}
	if dir := userRun(); dir != "" {
		return filepath.Join(dir, own)
	}
	return filepath.Join(s.root, "run")
}

// userRun is where a user's programs have what does not outlive the machine, or "".
// Source: XDG Base Directory Specification, $XDG_RUNTIME_DIR.
func userRun() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() || !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, "davit-shim")
}

// Notes is the directory in which package rootless notes processes of a user, for the
// store in the directory root.
func Notes(root string) string {
	if dir := userRun(); dir != "" {
		return filepath.Join(dir, "processes")
	}
	return filepath.Join(root, "processes")
}

// runtimeDir is where the runtime's states are, below Run, and startingFile is locked
// by those who start a container.
const (
	runtimeDir   = "runtime"
	startingFile = ".starting"
)

// Runtime is the directory of the runtime's states, made by it.
func (s *Store) Runtime() string { return filepath.Join(s.Run(), runtimeDir) }

// Filters is where compiled seccomp filters are kept, which outlive Run.
func (s *Store) Filters() string { return s.path(".filters") }

// Starting keeps Run as it is until done is called: a container is being started.
func (s *Store) Starting() (done func(), err error) {
	l, err := statefile.Share(s.path(startingFile))
	if err != nil {
		return nil, err
	}
	return func() {
		l.Release()
		s.TidyRun()
	}, nil
}

// TidyRun removes Run when no container runs, nor is being started: it goes with the
// last. What is in use stays, for the next call.
func (s *Store) TidyRun() {
	l, err := statefile.TryAcquire(s.path(startingFile))
	if err != nil {
		return
	}
	defer l.Release()
	entries, err := os.ReadDir(s.Run())
	if err != nil || len(entries) > 1 || len(entries) == 1 && entries[0].Name() != runtimeDir {
		return
	}
	if err := os.Remove(s.Runtime()); err == nil || errors.Is(err, fs.ErrNotExist) {
		_ = os.Remove(s.Run())
	}
}

// List are all containers that are whole, the newest first.
func (s *Store) List() ([]*Container, error) {
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	var all []*Container
	for _, id := range ids {
		c, err := s.whole(id)
		switch {
		case errors.Is(err, ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("listing containers: %w", err)
		default:
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b *Container) int { return b.Config.Created.Compare(a.Config.Created) })
	return all, nil
}

// ids are those of all directories of containers.
func (s *Store) ids() ([]string, error) {
	entries, err := os.ReadDir(s.path())
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if isID(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// whole reads a container that is not being made or removed.
func (s *Store) whole(id string) (*Container, error) {
	c := s.container(id)
	if _, err := os.Lstat(c.path(stateFile)); err != nil {
		return nil, notFound(id, err)
	}
	return c, c.Reload()
}

// Find finds a container by its ID, its name, or the beginning of its ID, in this
// order, as Docker does. What a killed supervisor left of it ends by it.
//
// Errors: ErrNotExist, ErrAmbiguous.
func (s *Store) Find(ref string) (*Container, error) {
	c, err := s.find(ref)
	if err == nil && s.mend != nil && c.left() {
		_, err = c.mended()
	}
	return c, err
}

func (s *Store) find(ref string) (*Container, error) {
	name := strings.TrimPrefix(ref, "/") // Compat(moby): as inspect prints them
	if CheckName(name) != nil {
		return nil, &NotFoundError{ref}
	}
	if isID(name) {
		if c, err := s.whole(name); err == nil {
			return c, nil
		}
	}
	if c, err := s.named(name); err == nil || !errors.Is(err, ErrNotExist) {
		return c, err
	}
	return s.byPrefix(ref)
}

// named is the container that has a name. A link whose container has another is
// left of a killed process.
func (s *Store) named(name string) (*Container, error) {
	id, err := os.Readlink(s.path(namesDir, name))
	if err != nil || !isID(id) {
		return nil, &NotFoundError{name}
	}
	c, err := s.whole(id)
	if err == nil && c.Config.Name != name {
		err = &NotFoundError{name}
	}
	return c, err
}

// byPrefix is the container whose ID begins so.
func (s *Store) byPrefix(prefix string) (*Container, error) {
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	var found *Container
	for _, id := range ids {
		if !strings.HasPrefix(id, prefix) {
			continue
		}
		c, err := s.whole(id)
		if errors.Is(err, ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if found != nil {
			return nil, fmt.Errorf("%w: %s", ErrAmbiguous, prefix)
		}
		found = c
	}
	if found == nil {
		return nil, &NotFoundError{prefix}
	}
	return found, nil
}

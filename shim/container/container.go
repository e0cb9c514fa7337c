package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/internal/statefile"
)

// Container is a container's directory.
type Container struct {
	Config Config // as it was read last
	store  *Store
}

func (s *Store) container(id string) *Container {
	return &Container{Config: Config{ID: id}, store: s}
}

// Store is where the container is kept.
func (c *Container) Store() *Store { return c.store }

// Dir is the container's directory; Bundle, Logs and Network are those of its
// parts, which others make and fill.
func (c *Container) Dir() string     { return c.path() }
func (c *Container) Bundle() string  { return c.path("bundle") }
func (c *Container) Logs() string    { return c.path("logs") }
func (c *Container) Network() string { return c.path("network") }

// runDigits are the digits of an ID in the path of a socket.
// Linux: a socket's path has at most 107 bytes.
const runDigits = 32

// Run is the container's directory below [Store.Run], made by its supervisor's
// caller, mode 0700.
func (c *Container) Run() string { return filepath.Join(c.store.Run(), c.Config.ID[:runDigits]) }

func (c *Container) path(names ...string) string {
	return c.store.path(append([]string{c.Config.ID}, names...)...)
}

// Reload reads the configuration anew. ErrNotExist: the container has been removed.
func (c *Container) Reload() error {
	var config Config
	if err := statefile.ReadJSON(c.path(configFile), &config); err != nil {
		return notFound(c.Config.ID, err)
	}
	if config.ID != c.Config.ID {
		return fmt.Errorf("reading %s: it is that of container %q", c.path(configFile), config.ID)
	}
	c.Config = config
	return nil
}

func (c *Container) writeConfig() error {
	return statefile.WriteJSON(c.path(configFile), c.Config)
}

// OpenDir opens the container whose directory a supervisor was given.
func OpenDir(dir string) (*Container, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	containers, id := filepath.Split(dir)
	root, last := filepath.Split(filepath.Clean(containers))
	if !isID(id) || last != containersDir {
		return nil, fmt.Errorf("%s: it is no container's directory", dir)
	}
	c := (&Store{root: filepath.Clean(root)}).container(id)
	return c, c.Reload()
}

// Supervise locks the file by which others see that the container has a
// supervisor. It is unlocked when the last process has closed the file, so that a
// supervisor hands it to its keeper.
//
// Errors: ErrSupervised, there is one already; ErrNotExist.
func (c *Container) Supervise() (*os.File, error) { return c.supervise(unix.F_OFD_SETLK) }

// SuperviseNext is Supervise that waits until the supervisor that there is has
// ended.
func (c *Container) SuperviseNext() (*os.File, error) { return c.supervise(unix.F_OFD_SETLKW) }

// Unsupervise unlocks what Supervise has locked, whoever has it open too.
func Unsupervise(f *os.File) {
	unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_UNLCK})
	f.Close()
}

func (c *Container) supervise(lock int) (*os.File, error) {
	f, err := os.OpenFile(c.path(supervisorFile), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &NotFoundError{c.Config.ID}
	}
	if err != nil {
		return nil, fmt.Errorf("locking the supervisor's file: %w", err)
	}
	err = unix.EINTR
	for err == unix.EINTR {
		err = unix.FcntlFlock(f.Fd(), lock, &unix.Flock_t{Type: unix.F_WRLCK})
	}
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		err = ErrSupervised
	}
	return nil, fmt.Errorf("locking the supervisor's file: %w", err)
}

// SupervisorFile is the file that the container's supervisor has locked.
func (c *Container) SupervisorFile() string { return c.path(supervisorFile) }

// ErrSupervised is that a container has a supervisor.
var ErrSupervised = errors.New("the container has a supervisor")

// Supervised tells whether the container has a supervisor. It locks nothing.
func (c *Container) Supervised() bool {
	f, err := os.OpenFile(c.path(supervisorFile), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock) == nil && lock.Type != unix.F_UNLCK
}

package volume

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/davit-containers/davit/shim/internal/statefile"
)

// The errors on which a caller may decide.
var (
	ErrNotExist = errors.New("volume does not exist")
	ErrInUse    = errors.New("volume is in use")
)

// Volume is one as it is now.
type Volume struct {
	Name      string
	Created   time.Time
	Labels    map[string]string `json:",omitempty"`
	Anonymous bool              `json:",omitempty"` // nobody named it: its name is 64 hexadecimal digits
	Fresh     bool              `json:",omitempty"` // no container has used it

	Path  string   `json:"-"` // the directory to mount
	Users []string `json:"-"` // the containers that have it, by id
}

// Store keeps volumes below a directory.
type Store struct{ root string }

// The parts of a volume's directory.
const (
	dataDir   = "_data"
	usersDir  = "users"
	stateFile = "volume.json"
	lockFile  = "lock"
)

// How the names of directories begin that are being made or removed. No volume
// has such a name.
const (
	making   = ".new-"
	removing = ".gone-"
)

// Open makes the directory, or goes on with the one that is there. Its mode is
// 0711: a container's users pass through it to what is mounted.
//
// CVE-2021-41091: below, nobody but its owner looks around.
func Open(root string) (*Store, error) {
	root, err := filepath.Abs(root)
	if err == nil {
		err = os.MkdirAll(root, 0o711)
	}
	if err == nil {
		err = os.Chmod(root, 0o711)
	}
	if err != nil {
		return nil, fmt.Errorf("opening volumes: %w", err)
	}
	return &Store{root}, nil
}

func (s *Store) path(names ...string) string {
	return filepath.Join(append([]string{s.root}, names...)...)
}

// lock has the store to itself. What killed processes left half made or half
// removed is removed at this occasion.
func (s *Store) lock() (*statefile.Lock, error) {
	l, err := statefile.Acquire(s.path("." + lockFile))
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.root)
	if err != nil {
		l.Release()
		return nil, fmt.Errorf("reading volumes: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), making) || strings.HasPrefix(e.Name(), removing) {
			os.RemoveAll(s.path(e.Name())) // what stays is tried again
		}
	}
	return l, nil
}

// checkName says what is wrong with a volume's name, which becomes a directory's.
func checkName(name string) error {
	if len(name) < 2 || len(name) > 128 {
		return fmt.Errorf("volume %q: a name has 2 to 128 characters", name)
	}
	return checkWord("volume", name)
}

// checkWord says what is wrong with a word that becomes a file's name.
func checkWord(what, word string) error {
	if word == "" || len(word) > 128 {
		return fmt.Errorf("%s %q: 1 to 128 characters are needed", what, word)
	}
	for i, r := range word {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("_.-", r)) {
			return fmt.Errorf("%s %q: it has letters, digits and (not first) _ . -", what, word)
		}
	}
	return nil
}

// CreateOptions describe a volume to be made.
type CreateOptions struct {
	Name      string // a new one of its own where empty
	Anonymous bool   // nobody named it, although it has a name: one of NewName
	Labels    map[string]string
}

// Create makes a volume, or returns the one that has the name already.
func (s *Store) Create(o CreateOptions) (Volume, error) {
	v := Volume{Name: o.Name, Created: time.Now().UTC(), Labels: o.Labels, Anonymous: o.Anonymous, Fresh: true}
	if v.Name == "" {
		v.Name, v.Anonymous = NewName(), true
	}
	if err := checkName(v.Name); err != nil {
		return Volume{}, err
	}
	l, err := s.lock()
	if err != nil {
		return Volume{}, err
	}
	defer l.Release()
	if there, err := s.read(v.Name); !errors.Is(err, ErrNotExist) {
		return there, err
	}
	if err := s.create(v); err != nil {
		return Volume{}, fmt.Errorf("creating volume %s: %w", v.Name, err)
	}
	return s.read(v.Name)
}

// NewName is a name for an anonymous volume that no other has.
func NewName() string {
	var name [32]byte
	rand.Read(name[:])
	return hex.EncodeToString(name[:])
}

// create makes the directory under another name, and gives it its own.
func (s *Store) create(v Volume) error {
	dir, err := os.MkdirTemp(s.root, making)
	if err != nil {
		return err
	}
	err = errors.Join(os.Mkdir(filepath.Join(dir, dataDir), 0o755), os.Mkdir(filepath.Join(dir, usersDir), 0o700),
		os.Chmod(filepath.Join(dir, dataDir), 0o755), os.Chmod(dir, 0o711))
	if err == nil {
		err = statefile.WriteJSON(filepath.Join(dir, stateFile), v)
	}
	if err == nil {
		err = os.Rename(dir, s.path(v.Name))
	}
	if err != nil {
		os.RemoveAll(dir)
	}
	return err
}

// Get is a volume by its name. ErrNotExist: there is none.
func (s *Store) Get(name string) (Volume, error) {
	if checkName(name) != nil {
		return Volume{}, fmt.Errorf("volume %q: %w", name, ErrNotExist)
	}
	return s.read(name)
}

func (s *Store) read(name string) (Volume, error) {
	var v Volume
	err := statefile.ReadJSON(s.path(name, stateFile), &v)
	if errors.Is(err, os.ErrNotExist) {
		return Volume{}, fmt.Errorf("volume %s: %w", name, ErrNotExist)
	}
	if err != nil {
		return Volume{}, err
	}
	v.Path = s.path(name, dataDir)
	v.Users, err = statefile.Names(s.path(name, usersDir), "")
	if err != nil {
		return Volume{}, fmt.Errorf("reading volume %s: %w", name, err)
	}
	return v, nil
}

// List are all volumes, by name.
func (s *Store) List() ([]Volume, error) {
	l, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer l.Release()
	return s.all()
}

func (s *Store) all() ([]Volume, error) {
	entries, err := os.ReadDir(s.root)
	if err != nil {
		return nil, fmt.Errorf("listing volumes: %w", err)
	}
	var volumes []Volume
	for _, e := range entries {
		if checkName(e.Name()) != nil {
			continue
		}
		v, err := s.read(e.Name())
		if err != nil {
			return nil, fmt.Errorf("listing volumes: %w", err)
		}
		volumes = append(volumes, v)
	}
	return volumes, nil
}

package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/davit-containers/davit/bundle/image/layout"
)

// dirMode keeps other users away from files of images that are set-user-ID.
// CVE-2021-41091, CVE-2021-41103.
const dirMode = 0o700

// Errors that callers branch on. A name that the store does not have is
// [image.ErrNotFound].
var (
	// ErrInUse says that an image cannot be removed: something holds it.
	ErrInUse = errors.New("image is in use")
	// ErrAmbiguous says that an ID is the beginning of several.
	ErrAmbiguous = errors.New("ambiguous image ID")
)

// Store is an open store.
type Store struct {
	root string
}

// Open opens the store in a directory, which it makes if need be.
func Open(root string) (*Store, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	s := &Store{root: root}
	for _, dir := range []string{"", "work", "layers", "holds", "cache", "images", "images/blobs", "images/blobs/sha256", "images/blobs/sha512"} {
		if err := makeDir(s.path(dir)); err != nil {
			return nil, fmt.Errorf("opening the store: %w", err)
		}
	}
	if err := s.mark(); err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	return s, nil
}

// makeDir makes a directory with its mode whatever the umask.
func makeDir(path string) error {
	err := os.Mkdir(path, dirMode)
	if errors.Is(err, os.ErrNotExist) {
		err = os.MkdirAll(path, dirMode)
	}
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(path, dirMode)
}

// mark makes a layout of the directory of images.
func (s *Store) mark() error {
	path := s.path("images", layout.MarkerFile)
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	return s.replace(path, []byte(layout.Marker))
}

// Root is the store's directory.
func (s *Store) Root() string { return s.root }

// LayoutPath is the directory of the OCI image layout.
func (s *Store) LayoutPath() string { return s.path("images") }

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.root}, elem...)...)
}

// blobPath is where a verified blob is. The digest was parsed, so it is no path.
func (s *Store) blobPath(h v1.Hash) string {
	return s.path("images", filepath.FromSlash(layout.BlobPath(h)))
}

// replace writes a file so that there is the old one or the new one, also after
// a loss of power.
func (s *Store) replace(path string, data []byte) error {
	f, err := s.claim(context.Background(), tempPrefix+rand.Text(), makeAndOpenFile, nil)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()), f.Close())
	}
	return errors.Join(f.Close(), syncDir(filepath.Dir(path)))
}

// syncDir makes the names in a directory outlive a loss of power.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

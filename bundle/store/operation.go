package store

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/internal/lock"
)

// The names of what is in the directory of work begin so.
const (
	operationPrefix = "operation-" // a directory with pins
	partPrefix      = "part-"      // a blob that is not whole
	chainPrefix     = "chain-"     // a layer that is not whole
	trashPrefix     = "trash-"     // a layer on its way out
	tempPrefix      = "temp-"      // a small file before it is renamed
)

// operation is something that runs now. What it has pinned is not collected,
// until it ends or its process dies.
type operation struct {
	store *Store
	path  string
	dir   *os.File // locked

	mu    sync.Mutex
	added []v1.Hash // blobs that this operation fetched, or began to
	made  []string  // and layers that it unpacked
}

// noteBlob remembers a blob that is about to be fetched.
func (o *operation) noteBlob(h v1.Hash) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.added = append(o.added, h)
}

// begin starts an operation.
func (s *Store) begin(ctx context.Context) (*operation, error) {
	name := operationPrefix + rand.Text()
	dir, err := s.claim(ctx, name, makeAndOpenDir, nil)
	if err != nil {
		return nil, err
	}
	return &operation{store: s, path: s.path("work", name), dir: dir}, nil
}

// noteChain remembers a layer that was put in its place.
func (o *operation) noteChain(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.made = append(o.made, name)
}

// undo removes what the operation brought, unless something else has
// come to need them.
func (o *operation) undo(ctx context.Context) error {
	if err := os.RemoveAll(o.path); err != nil {
		return err
	}
	return o.store.locked(ctx, unix.LOCK_EX, func() error {
		needed, err := o.store.needed(ctx)
		if err != nil {
			return err
		}
		return errors.Join(o.undoBlobs(needed), o.undoLayers(needed))
	})
}

func (o *operation) undoBlobs(needed map[string]bool) error {
	var errs []error
	for _, h := range o.added {
		errs = append(errs, o.store.removeDead(partPrefix+blobPin(h)))
		if needed[blobPin(h)] {
			continue
		}
		if err := os.Remove(o.store.blobPath(h)); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (o *operation) undoLayers(needed map[string]bool) error {
	var errs []error
	for _, name := range o.made {
		if !needed[layerPin(name)] {
			errs = append(errs, o.store.trash(name))
		}
	}
	return errors.Join(errs...)
}

// end lets go of what was pinned, and removes what killed processes left.
func (o *operation) end() error {
	err := os.RemoveAll(o.path)
	return errors.Join(err, o.dir.Close(), o.store.sweep(false))
}

// pin keeps a blob or a layer, there or not yet there, from being collected.
// Only then may it be looked for: the lock keeps a collection from running
// between the two.
func (o *operation) pin(ctx context.Context, names ...string) error {
	return o.store.locked(ctx, unix.LOCK_SH, func() error {
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(o.path, name), nil, 0o600); err != nil {
				return err
			}
		}
		return nil
	})
}

// blobPin and chainPin are the names of pins.
func blobPin(h v1.Hash) string  { return h.Algorithm + "-" + h.Hex }
func chainPin(h v1.Hash) string { return chainPrefix + h.Hex }

// layerPin is the pin for a layer's directory, in whatever form it was unpacked.
func layerPin(name string) string {
	chain, _, _ := strings.Cut(name, "-")
	return chainPrefix + chain
}

// sweep removes what killed processes left in the directory of work. Parts of
// blobs are kept unless all is to go.
func (s *Store) sweep(all bool) error {
	entries, err := os.ReadDir(s.path("work"))
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), partPrefix) && !all {
			continue
		}
		errs = append(errs, s.removeDead(e.Name()))
	}
	return errors.Join(errs...)
}

// removeDead removes an entry of the directory of work unless a process has it.
func (s *Store) removeDead(name string) error {
	path := s.path("work", name)
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	switch err := lock.Try(f, unix.LOCK_EX); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil
	case err != nil:
		return err
	case !lock.Same(f, path):
		return nil
	}
	return os.RemoveAll(path)
}

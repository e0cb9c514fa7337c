package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Cached is what a step of a build came to. Its layer is kept from being
// collected until the step is forgotten.
type Cached struct {
	// Layer is what the step made; nil: nothing had changed.
	*Layer `json:"layer,omitempty"`
	// Created is when it was made.
	Created time.Time `json:"created"`
	// Size is that of the layer on disk, in bytes.
	Size int64 `json:"size,omitempty"`
}

// Remember keeps what a step came to under a key, which stands for all that the
// step depends on: 64 hexadecimal digits.
func (w *Work) Remember(key string, c Cached) error {
	if !isKey(key) {
		return fmt.Errorf("remembering a step: %q is no key", key)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	temp := filepath.Join(w.op.path, scratchPrefix+key)
	// Not written to disk at once: what is lost is built again.
	if err := os.WriteFile(temp, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, w.op.store.path("cache", key))
}

// isKey tells whether a name is one of a step.
func isKey(key string) bool {
	return len(key) == 64 && strings.Trim(key, "0123456789abcdef") == ""
}

// Recall finds what a step came to, and keeps it in use. Whatever is not there as
// it was, or cannot be read, is nothing.
func (w *Work) Recall(ctx context.Context, key string) (Cached, bool, error) {
	c, err := w.op.store.cached(key)
	if err != nil {
		return c, false, nil
	}
	if c.Layer == nil {
		return c, true, w.op.store.touch(key)
	}
	names := []string{chainPin(c.Chain)}
	if c.Blob != nil {
		names = append(names, blobPin(c.Blob.Digest))
	}
	if err := w.op.pin(ctx, names...); err != nil {
		return c, false, err
	}
	raw, err := os.ReadFile(filepath.Join(w.layerPath(c.Chain), aboutName))
	var about unpacked
	if err != nil || json.Unmarshal(raw, &about) != nil || about.lost() {
		return c, false, nil
	}
	if c.Blob != nil {
		if ok, err := w.op.store.hasBlob(*c.Blob); !ok || err != nil {
			c.Blob = nil
		}
	}
	return c, true, w.op.store.touch(key)
}

// cached reads what is kept under a key.
func (s *Store) cached(key string) (c Cached, err error) {
	if !isKey(key) {
		return c, fmt.Errorf("%q is no key", key)
	}
	raw, err := os.ReadFile(s.path("cache", key))
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(raw, &c)
}

// touch notes that a step was used now.
func (s *Store) touch(key string) error {
	now := time.Now()
	err := os.Chtimes(s.path("cache", key), now, now)
	if errors.Is(err, os.ErrNotExist) {
		return nil // somebody forgot it; what it came to is in use
	}
	return err
}

// Forget forgets the steps of builds that were not used since a time, and tells
// how many. Their layers go with the next [Store.Collect].
func (s *Store) Forget(ctx context.Context, since time.Time) (n int, err error) {
	err = s.locked(ctx, unix.LOCK_SH, func() error {
		entries, err := os.ReadDir(s.path("cache"))
		if err != nil {
			return err
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil || !info.ModTime().Before(since) {
				continue
			}
			if err := remove(s.path("cache", e.Name())); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// ForgetBeyond forgets the steps that were not used for longest, so that the layers
// of the others have so many bytes at most.
func (s *Store) ForgetBeyond(ctx context.Context, bytes int64) (n int, err error) {
	err = s.locked(ctx, unix.LOCK_SH, func() error {
		records, err := s.records()
		counted := map[string]bool{}
		for _, r := range records {
			if r.Layer != nil && !counted[r.Chain.Hex] {
				counted[r.Chain.Hex] = true
				bytes -= r.Size
			}
			if bytes >= 0 {
				continue
			}
			if err := remove(s.path("cache", r.key)); err != nil {
				return err
			}
			n++
		}
		return err
	})
	return n, err
}

// stepRecord is a step that is remembered.
type stepRecord struct {
	Cached
	key  string
	used time.Time
}

// records are all of them, the one that was used last first. One that cannot be read
// has nothing.
func (s *Store) records() ([]stepRecord, error) {
	entries, err := os.ReadDir(s.path("cache"))
	var all []stepRecord
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // somebody forgot it
		}
		c, _ := s.cached(e.Name())
		all = append(all, stepRecord{c, e.Name(), info.ModTime()})
	}
	slices.SortStableFunc(all, func(a, b stepRecord) int { return b.used.Compare(a.used) })
	return all, err
}

// needCached adds what the steps of builds need. A record that cannot be read is
// of no use to anybody.
func (s *Store) needCached(needed map[string]bool) error {
	entries, err := os.ReadDir(s.path("cache"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		c, err := s.cached(e.Name())
		if err != nil || c.Layer == nil {
			continue
		}
		needed[chainPin(c.Chain)] = true
		if c.Blob != nil {
			needed[blobPin(c.Blob.Digest)] = true
		}
	}
	return nil
}

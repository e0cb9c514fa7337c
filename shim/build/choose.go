package build

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/build/dockerfile"
)

// choose reads all that a COPY or an ADD names.
func (f *files) choose(c *dockerfile.Copy) ([]*source, error) {
	var leave *patternmatcher.PatternMatcher
	if len(c.Exclude) > 0 {
		var err error
		if leave, err = patternmatcher.New(c.Exclude); err != nil {
			return nil, fmt.Errorf("--exclude: %w", err)
		}
	}
	var sources []*source
	for _, pattern := range c.Paths {
		found, err := f.match(pattern)
		for _, rel := range found {
			var s *source
			if s, err = f.read(path.Base(path.Join("/", rel)), rel, leave); err != nil {
				break
			}
			s.pattern = pattern
			sources = append(sources, s)
		}
		if err != nil {
			closeAll(sources)
			return nil, err
		}
	}
	return sources, nil
}

// match are the paths that a pattern stands for, with / in front: one where it has
// no wildcards.
func (f *files) match(pattern string) ([]string, error) {
	clean := path.Join("/", pattern)
	if !strings.ContainsAny(clean, `*?[\`) {
		return []string{clean}, nil
	}
	if _, err := path.Match(clean, ""); err != nil {
		return nil, fmt.Errorf("%s: %w", pattern, err)
	}
	found := []string{"/"}
	for name := range strings.SplitSeq(strings.TrimPrefix(clean, "/"), "/") {
		var next []string
		for _, dir := range found {
			more, err := f.matchIn(dir, name)
			if err != nil {
				return nil, err
			}
			next = append(next, more...)
		}
		found = next
	}
	return slices.DeleteFunc(found, func(p string) bool { return f.ignored(strings.TrimPrefix(p, "/")) }), nil
}

// matchIn are the names in a directory that a pattern of one name stands for.
// What is no directory has none.
func (f *files) matchIn(dir, pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, `*?[\`) {
		handle, _, err := f.open(path.Join(dir, pattern))
		if errors.Is(err, errNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return []string{path.Join(dir, pattern)}, handle.Close()
	}
	handle, _, err := f.open(dir)
	if errors.Is(err, errNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	list, err := beneath(handle, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer list.Close()
	entries, err := list.ReadDir(-1)
	var found []string
	for _, name := range sorted(entries) {
		if ok, _ := path.Match(pattern, name); ok {
			found = append(found, path.Join(dir, name))
		}
	}
	return found, err
}

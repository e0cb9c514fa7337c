package treetest

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Apply carries out a trusted, uncompressed layer on a plain tree, as plainly as
// can be: by paths, one entry after the other. It is what unpackers are compared
// with. A directory without an entry keeps its time.
func Apply(tb testing.TB, dir string, layer []byte) {
	tb.Helper()
	before := Read(tb, dir)
	var items []Item
	for r := tar.NewReader(bytes.NewReader(layer)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			tb.Fatalf("reading the layer: %v", err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			tb.Fatalf("reading %q of the layer: %v", h.Name, err)
		}
		if err := clear(dir, h); err != nil {
			tb.Fatalf("applying %q: %v", h.Name, err)
		}
		if !strings.HasPrefix(filepath.Base(h.Name), ".wh.") {
			items = append(items, Item{Header: *h, Body: string(body)})
			Make(tb, dir, items[len(items)-1])
		}
	}
	setDirs(tb, dir, before, items)
}

// clear removes what is in an entry's place, or what it says has gone.
func clear(dir string, h *tar.Header) error {
	at := filepath.Join(dir, h.Name)
	base := filepath.Base(h.Name)
	if base == ".wh..wh..opq" {
		names, err := os.ReadDir(filepath.Dir(at))
		for _, n := range names {
			err = errors.Join(err, os.RemoveAll(filepath.Join(filepath.Dir(at), n.Name())))
		}
		return err
	}
	if name, ok := strings.CutPrefix(base, ".wh."); ok {
		return os.RemoveAll(filepath.Join(filepath.Dir(at), name))
	}
	if st, err := os.Lstat(at); err == nil && st.IsDir() && h.Typeflag == tar.TypeDir {
		return clearXattrs(at)
	}
	return os.RemoveAll(at)
}

// setDirs gives directories their times, after everything was made in them.
func setDirs(tb testing.TB, dir string, before Tree, items []Item) {
	tb.Helper()
	last := map[string]Item{}
	for p, e := range before {
		last[p] = Dir(p).At(e.Time)
	}
	for _, i := range items {
		last[filepath.Clean(i.Header.Name)] = i
	}
	for p, e := range Read(tb, dir) {
		if i, ok := last[p]; ok && e.Target == "" && e.Links == "" {
			if err := setTime(filepath.Join(dir, p), i.Header.ModTime); err != nil {
				tb.Fatalf("setting the time of %s: %v", p, err)
			}
		}
	}
}

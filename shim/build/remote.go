package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/build/dockerfile"
)

// remote is a file that was fetched.
type remote struct {
	file *os.File
	stat unix.Stat_t
}

func (r *remote) close() {
	if r != nil {
		r.file.Close()
	}
}

// source is the file as one of a context, under the name that the address has.
func (r *remote) source(name string) *source {
	return &source{name: name, rel: name, handle: r.file, tree: &files{}, entries: []entry{{path: ".", stat: r.stat}}}
}

// maxRemote bounds what is fetched, in bytes.
const maxRemote = 8 << 30

// download fetches a file. What the server calls it, and where it leads, is of no
// concern: the content is what it was said to be, or there is none.
// CVE-2026-44517: a server chose where a file went.
func (b *builder) download(ctx context.Context, r *dockerfile.Remote) (*remote, error) {
	dir, err := b.work.Scratch()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "file")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	got := &remote{file: f}
	if err := fetch(ctx, f, r); err != nil {
		got.close()
		return nil, fmt.Errorf("fetching %s: %w", r.URL, err)
	}
	epoch := time.Unix(0, 0)
	if err := os.Chtimes(path, epoch, epoch); err != nil {
		return nil, err
	}
	return got, unix.Fstat(int(f.Fd()), &got.stat)
}

func fetch(ctx context.Context, to io.Writer, r *dockerfile.Remote) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server says %s", resp.Status)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(to, sum), io.LimitReader(resp.Body, maxRemote+1))
	switch got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); {
	case err != nil:
		return err
	case n > maxRemote:
		return fmt.Errorf("it has more than %d bytes", int64(maxRemote))
	case got != r.Digest:
		return fmt.Errorf("its digest is %s, and not %s", got, r.Digest)
	}
	return nil
}

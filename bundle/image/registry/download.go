package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/progress"
)

// Bounds of a download that broke off.
const (
	stallTimeout = time.Minute // a connection that brings nothing is given up
	firstDelay   = 100 * time.Millisecond
	maxDelay     = 5 * time.Second
)

// OpenBlob opens a blob, or a manifest that an index leads to. A download that
// breaks off goes on where it was. Together with the first byte come errors.
func (r *repository) OpenBlob(ctx context.Context, d v1.Descriptor, offset int64) (io.ReadCloser, error) {
	if err := image.CheckDescriptor(d); err != nil {
		return nil, err
	}
	b := &download{repository: r, ctx: ctx, d: d, at: offset, good: time.Now(), delay: firstDelay}
	if offset == d.Size {
		return io.NopCloser(strings.NewReader("")), nil
	}
	return b, nil
}

// download is a blob on its way.
type download struct {
	repository *repository
	ctx        context.Context
	d          v1.Descriptor
	at         int64 // where in the blob

	body io.ReadCloser // nil between connections
	hang func()        // ends the connection
	idle *time.Timer   // calls hang

	good  time.Time // when something last came
	delay time.Duration
}

// Read connects again where a connection broke off, until patience ends.
func (b *download) Read(p []byte) (int, error) {
	for {
		n, err := b.read(p)
		if n > 0 || err == nil || err == io.EOF {
			return n, err
		}
		b.drop()
		if err := b.wait(err); err != nil {
			return 0, err
		}
	}
}

// read takes what comes from one connection. An error after some bytes comes
// again with the next read.
func (b *download) read(p []byte) (int, error) {
	if b.body == nil {
		if err := b.connect(); err != nil {
			return 0, err
		}
	}
	n, err := b.body.Read(p)
	b.at += int64(n)
	if n > 0 {
		b.good, b.delay = time.Now(), firstDelay
		b.idle.Reset(stallTimeout)
		if err != io.EOF {
			err = nil
		}
	}
	return n, err
}

// wait lets a moment pass before the next try, unless err is for good.
func (b *download) wait(err error) error {
	if b.ctx.Err() != nil {
		return b.ctx.Err()
	}
	if final(err) || time.Since(b.good) > b.repository.client.o.Patience {
		return fmt.Errorf("downloading %s: %w", b.d.Digest, err)
	}
	b.repository.client.o.Progress.Report(progress.Event{Phase: progress.Retrying, Layer: b.d.Digest.String(), Done: b.at, Total: b.d.Size})
	timer := time.NewTimer(b.delay)
	defer timer.Stop()
	b.delay = min(2*b.delay, maxDelay)
	select {
	case <-timer.C:
		return nil
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
}

// final tells whether trying again does not help.
func final(err error) bool {
	var all *allFailed
	if errors.As(err, &all) {
		for _, e := range all.errs {
			if !final(e) {
				return false
			}
		}
		return true
	}
	var certificate *tls.CertificateVerificationError
	if errors.Is(err, image.ErrNotFound) || errors.Is(err, ErrDenied) || errors.Is(err, errNotAllowed) || image.IsRejected(err) || errors.As(err, &certificate) {
		return true
	}
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode/100 == 4 && !answer.Temporary()
}

// connect asks each place for what is missing.
func (b *download) connect() error {
	ctx, cancel := context.WithCancel(b.ctx)
	var errs []error
	for _, p := range b.repository.places {
		if p.noBlobs {
			continue
		}
		body, err := b.ask(ctx, p)
		if err == nil {
			b.body, b.hang = body, cancel
			b.idle = time.AfterFunc(stallTimeout, cancel)
			return nil
		}
		errs = append(errs, err)
	}
	if body, err := b.askForeign(ctx); body != nil {
		b.body, b.hang = body, cancel
		b.idle = time.AfterFunc(stallTimeout, cancel)
		return nil
	} else if err != nil {
		errs = append(errs, err)
	}
	cancel()
	return joined(errs)
}

// ask asks one place.
func (b *download) ask(ctx context.Context, p *place) (io.ReadCloser, error) {
	kind, header := "blobs", b.header()
	if b.d.MediaType.IsImage() || b.d.MediaType.IsIndex() {
		kind = "manifests"
		header["Accept"] = accepted
	}
	resp, err := p.get(ctx, b.repository.client.o.Keychain, kind, b.d.Digest.String(), header)
	if err != nil {
		return nil, err
	}
	return b.from(resp)
}

// header asks for the rest of the blob, as it is.
func (b *download) header() http.Header {
	h := http.Header{"Accept-Encoding": {"identity"}}
	if b.at > 0 {
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", b.at, b.d.Size-1))
	}
	return h
}

// from checks that an answer is the rest of the blob. Where a server gives all
// of it, what is there already is skipped.
func (b *download) from(resp *http.Response) (io.ReadCloser, error) {
	err := b.check(resp)
	if err == nil && resp.StatusCode == http.StatusOK {
		_, err = io.CopyN(io.Discard, resp.Body, b.at)
	}
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp.Body, nil
}

func (b *download) check(resp *http.Response) error {
	want := b.d.Size
	if resp.StatusCode == http.StatusPartialContent {
		want -= b.at
		expected := fmt.Sprintf("bytes %d-%d/%d", b.at, b.d.Size-1, b.d.Size)
		if got := resp.Header.Get("Content-Range"); got != expected && got != strings.TrimSuffix(expected, fmt.Sprint(b.d.Size))+"*" {
			return image.Rejected("downloading %s: the server gives %q where %q was asked for", b.d.Digest, got, expected)
		}
	}
	if resp.ContentLength >= 0 && resp.ContentLength != want {
		return image.Rejected("downloading %s: there are %d bytes where %d were expected", b.d.Digest, resp.ContentLength, want)
	}
	return nil
}

// drop ends the connection.
func (b *download) drop() {
	if b.body == nil {
		return
	}
	b.idle.Stop()
	b.hang()
	b.body.Close()
	b.body = nil
}

// Close ends the download.
func (b *download) Close() error {
	b.drop()
	return nil
}

package registry

import (
	"context"
	"fmt"
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/progress"
)

// Push writes an image to the registry of a name. Mirrors are not asked, and blobs
// that the registry has are not sent.
func (c *Client) Push(ctx context.Context, img v1.Image, name image.Name) error {
	places, err := c.o.Config.places(name)
	if err != nil {
		return err
	}
	origin := places[len(places)-1]
	rt, err := origin.connect(ctx, c.o.Keychain, "push,pull")
	if err != nil {
		return err
	}
	repo, err := origin.repo()
	if err != nil {
		return err
	}
	told := &sending{Image: img, report: c.o.Progress, begun: map[v1.Hash]bool{}}
	if err := remote.Write(repo.Tag(name.Tag()), told, remote.WithContext(ctx), remote.WithTransport(rt)); err != nil {
		return fmt.Errorf("pushing %s: %w", name, oneLine(err))
	}
	return told.finish()
}

// sending is an image that reports how far its layers were sent.
type sending struct {
	v1.Image
	report progress.Func
	mu     sync.Mutex
	begun  map[v1.Hash]bool
}

// Layers are the image's, each of which reports.
func (s *sending) Layers() ([]v1.Layer, error) {
	layers, err := s.Image.Layers()
	for i, l := range layers {
		layers[i] = &sentLayer{l, s}
	}
	return layers, err
}

// finish reports what became of each layer: those that were not sent were there.
func (s *sending) finish() error {
	m, err := s.Manifest()
	if err != nil {
		return err
	}
	for _, d := range m.Layers {
		phase := progress.Exists
		if s.begun[d.Digest] {
			phase = progress.Written
		}
		s.report.Report(progress.Event{Phase: phase, Layer: d.Digest.String(), Done: d.Size, Total: d.Size})
	}
	return nil
}

// sentLayer is a layer that is sent, perhaps several times.
type sentLayer struct {
	v1.Layer
	image *sending
}

// Compressed is the layer's blob, which reports while it is read.
func (l *sentLayer) Compressed() (io.ReadCloser, error) {
	digest, err := l.Digest()
	if err != nil {
		return nil, err
	}
	size, err := l.Size()
	if err != nil {
		return nil, err
	}
	r, err := l.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	l.image.mu.Lock()
	l.image.begun[digest] = true
	l.image.mu.Unlock()
	event := progress.Event{Phase: progress.Writing, Layer: digest.String(), Total: size}
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r, &progress.Counter{Func: l.image.report, Event: event}), r}, nil
}

package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/internal/cancel"
	"github.com/davit-containers/davit/bundle/layer"
	"github.com/davit-containers/davit/bundle/progress"
)

// unpackAll unpacks layers side by side; each settles when the one below it has.
func unpackAll(ctx context.Context, tasks []*task, parallel int, there arrivals) error {
	g, ctx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, parallel)
	for _, t := range tasks {
		g.Go(func() error {
			if err := there.wait(ctx, t.d.Digest); err != nil {
				return err
			}
			if t.claim == nil {
				return t.confirm(ctx, slots)
			}
			return t.unpack(ctx, slots)
		})
	}
	return g.Wait()
}

// take waits for a slot. What is held by a slot waits for nothing else.
func take(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unpack unpacks a layer and settles it on those below.
func (t *task) unpack(ctx context.Context, slots chan struct{}) error {
	if err := take(ctx, slots); err != nil {
		return err
	}
	unsettled, err := t.read(ctx)
	<-slots
	if err != nil {
		return t.fault(ctx, err)
	}
	if len(t.below) > 0 {
		select {
		case <-t.below[0].settled:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), unsettled.Close())
		}
	}
	result, err := unsettled.Settle(ctx, t.lower())
	if err != nil {
		return t.fault(ctx, err)
	}
	t.about = unpacked{Chain: t.chain, DiffID: t.diffID, Opaque: result.Opaque}
	t.o.Progress.Report(progress.Event{Phase: progress.Unpacked, Layer: t.d.Digest.String(), Done: t.d.Size, Total: t.d.Size})
	close(t.settled)
	return nil
}

// lower are the trees below, the nearest first, down to one that hides the rest.
func (t *task) lower() []*os.File {
	var lower []*os.File
	for _, below := range t.below {
		lower = append(lower, below.tree)
		if below.about.Opaque {
			break
		}
	}
	return lower
}

// read unpacks the blob into the layer's own directory.
func (t *task) read(ctx context.Context) (*layer.Unsettled, error) {
	var unsettled *layer.Unsettled
	err := t.blob(ctx, func(r io.Reader) (err error) {
		unsettled, err = layer.Unpack(ctx, t.tree, r, t.o.Layer)
		return err
	})
	if err != nil && unsettled != nil {
		err = errors.Join(err, unsettled.Close())
	}
	return unsettled, err
}

// blob reads the layer's archive and verifies all of it.
func (t *task) blob(ctx context.Context, take func(io.Reader) error) error {
	blob, err := t.op.store.OpenBlob(ctx, t.d, 0)
	if err != nil {
		return err
	}
	defer blob.Close()
	counted := io.TeeReader(blob, &progress.Counter{Func: t.o.Progress, Event: progress.Event{Phase: progress.Unpacking, Layer: t.d.Digest.String(), Total: t.d.Size}})
	r, err := layer.Open(ctx, counted, layer.Blob{Digest: t.d.Digest, Size: t.d.Size, DiffID: t.diffID})
	if err != nil {
		return err
	}
	err = take(r)
	if err == nil {
		err = r.Verify()
	}
	if closing := r.Close(); err == nil {
		err = closing
	}
	return err
}

// confirm makes sure that this image's blob is the layer that is there already:
// another image's may have been, and this one only say so.
func (t *task) confirm(ctx context.Context, slots chan struct{}) error {
	mark := filepath.Join(t.path, blobsName, blobPin(t.d.Digest))
	if _, err := os.Lstat(mark); err == nil || t.d.Digest == t.diffID {
		t.o.Progress.Report(progress.Event{Phase: progress.Exists, Layer: t.d.Digest.String(), Total: t.d.Size})
		return nil
	}
	if err := take(ctx, slots); err != nil {
		return err
	}
	defer func() { <-slots }()
	err := t.blob(ctx, func(r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if err != nil {
		return t.fault(ctx, err)
	}
	return os.WriteFile(mark, nil, 0o600)
}

// fault tells what is wrong with a layer from what is wrong with the machine. A
// blob that is not any more what it was goes, so that it can be fetched again.
func (t *task) fault(ctx context.Context, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("layer %s: %w", t.d.Digest, err)
	}
	if !t.op.store.isDamaged(ctx, t.d) {
		return &image.RejectedError{Reason: "layer " + t.d.Digest.String(), Err: err}
	}
	return errors.Join(fmt.Errorf("layer %s: its blob was damaged on disk, and is removed [fetch the image again]", t.d.Digest), remove(t.op.store.blobPath(t.d.Digest)))
}

// isDamaged tells whether a blob of the store has other bytes than it had.
func (s *Store) isDamaged(ctx context.Context, d v1.Descriptor) bool {
	f, err := s.OpenBlob(ctx, d, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	v, err := image.NewVerifier(f, d)
	if err == nil {
		_, err = io.Copy(io.Discard, cancel.Reader(ctx, v))
	}
	return image.IsRejected(err)
}

package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/internal/cancel"
	"github.com/davit-containers/davit/bundle/progress"
)

// AddOptions say how an image is added.
type AddOptions struct {
	// Source is the repository that the image was fetched from, if it is one: its
	// digests become names with which the image is found.
	Source image.Name
	// Parallel is how many blobs are fetched at once. 0: 3, as Docker does.
	Parallel int
	// Progress takes what has come so far.
	Progress progress.Func
	// Unpack, unless it is nil, has the layers unpacked too, before the image gets
	// its names: what is wrong with them shows now.
	Unpack *LayerOptions
}

// Add copies an image into the store and names it. Each blob is verified. An
// image that is refused, or for which there is no space, leaves the store as it
// was; an interrupted one goes on where it was when it is added again.
//
// A manifest of Docker's format is kept in OCI's, so that other tools can read
// the store; the image's ID stays.
func (s *Store) Add(ctx context.Context, img *image.Image, names []image.Name, o AddOptions) (*Image, error) {
	oci, err := img.OCI()
	if err != nil {
		return nil, err
	}
	op, err := s.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("adding an image: %w", err)
	}
	err = op.add(ctx, oci, names, o)
	if image.IsRejected(err) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		err = errors.Join(err, op.undo(context.WithoutCancel(ctx)))
	}
	if err = errors.Join(err, op.end()); err != nil {
		return nil, err
	}
	return s.Get(ctx, oci.Descriptor().Digest.String())
}

func (o *operation) add(ctx context.Context, img *image.Image, names []image.Name, opts AddOptions) error {
	if err := o.pin(ctx, append(pins(img), chainPins(img)...)...); err != nil {
		return err
	}
	if err := o.bring(ctx, img, opts); err != nil {
		return err
	}
	return o.store.change(ctx, func(x *index) error {
		x.name(img.Descriptor(), names, origins(img, opts.Source))
		return nil
	})
}

// bring fetches the blobs, and meanwhile unpacks those layers that have come, if
// that is wanted.
func (o *operation) bring(ctx context.Context, img *image.Image, opts AddOptions) error {
	there := newArrivals(img)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return o.blobs(ctx, img, opts, there) })
	if opts.Unpack != nil {
		g.Go(func() error {
			_, err := o.layers(ctx, img, *opts.Unpack, there)
			return err
		})
	}
	return g.Wait()
}

// arrivals tell which blobs of an image have come. nil: all have.
type arrivals map[v1.Hash]chan struct{}

func newArrivals(img *image.Image) arrivals {
	a := arrivals{}
	for _, d := range img.LayerDescriptors() {
		if a[d.Digest] == nil {
			a[d.Digest] = make(chan struct{})
		}
	}
	return a
}

// wait waits until a blob has come.
func (a arrivals) wait(ctx context.Context, h v1.Hash) error {
	if a == nil {
		return nil
	}
	select {
	case <-a[h]:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pins are the names of an image's blobs.
func pins(img *image.Image) []string {
	names := []string{blobPin(img.Descriptor().Digest), blobPin(img.ID())}
	for _, d := range img.LayerDescriptors() {
		names = append(names, blobPin(d.Digest))
	}
	return names
}

// origins are the names with digests that an image was fetched by.
func origins(img *image.Image, source image.Name) []string {
	if source.IsZero() {
		return nil
	}
	var names []string
	for _, h := range img.Origins() {
		names = append(names, source.Repository()+"@"+h.String())
	}
	return names
}

// blobs brings all blobs of an image, the small ones last: the layers are what
// can be refused.
func (o *operation) blobs(ctx context.Context, img *image.Image, opts AddOptions, there arrivals) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel(opts.Parallel))
	seen := map[v1.Hash]bool{}
	for _, d := range img.LayerDescriptors() {
		if seen[d.Digest] {
			continue
		}
		seen[d.Digest] = true
		g.Go(func() error {
			err := o.blob(gctx, img, d, opts.Progress)
			if err == nil {
				close(there[d.Digest])
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return o.documents(ctx, img)
}

func parallel(n int) int {
	if n > 0 {
		return n
	}
	return 3
}

// documents writes the configuration and the manifest.
func (o *operation) documents(ctx context.Context, img *image.Image) error {
	m, err := img.Manifest()
	if err != nil {
		return err
	}
	for _, d := range []v1.Descriptor{m.Config, img.Descriptor()} {
		if err := o.blob(ctx, img, d, nil); err != nil {
			return err
		}
	}
	return errors.Join(syncDir(o.store.path("images/blobs/sha256")), syncDir(o.store.path("images/blobs/sha512")))
}

// blob brings one blob, unless it is there.
func (o *operation) blob(ctx context.Context, from image.Blobs, d v1.Descriptor, report progress.Func) error {
	event := progress.Event{Layer: d.Digest.String(), Total: d.Size}
	part, err := o.store.claim(ctx, partPrefix+blobPin(d.Digest), makeAndOpenFile, func() {
		report.Report(progress.Event{Phase: progress.Waiting, Layer: event.Layer})
	})
	if err != nil {
		return err
	}
	defer part.Close()
	if ok, err := o.store.hasBlob(d); ok || err != nil {
		event.Phase = progress.Exists
		report.Report(event)
		return errors.Join(err, os.Remove(part.Name()))
	}
	o.noteBlob(d.Digest)
	event.Phase = progress.Downloading
	if err := o.fetch(ctx, part, from, d, &progress.Counter{Func: report, Event: event}); err != nil {
		return err
	}
	report.Report(progress.Event{Phase: progress.Downloaded, Layer: event.Layer, Done: d.Size, Total: d.Size})
	return nil
}

// hasBlob tells whether a blob is there. One of another size is no blob of that
// descriptor.
func (s *Store) hasBlob(d v1.Descriptor) (bool, error) {
	st, err := os.Lstat(s.blobPath(d.Digest))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err == nil && st.Size() != d.Size {
		err = image.Rejected("reading %s: there are %d bytes, and its descriptor says %d", d.Digest, st.Size(), d.Size)
	}
	return err == nil, err
}

// fetch goes on with a part of a blob, verifies the whole, and puts it in its
// place.
func (o *operation) fetch(ctx context.Context, part *os.File, from image.Blobs, d v1.Descriptor, count *progress.Counter) error {
	resumed, err := o.copyRest(ctx, part, from, d, count)
	if image.IsRejected(err) && resumed {
		// What a killed process left may be anything: once more, from the beginning.
		if err = part.Truncate(0); err == nil {
			_, err = o.copyRest(ctx, part, from, d, count)
		}
	}
	if image.IsRejected(err) {
		return errors.Join(err, os.Remove(part.Name()))
	}
	if err != nil {
		return err
	}
	if err := part.Sync(); err != nil {
		return err
	}
	return os.Rename(part.Name(), o.store.blobPath(d.Digest))
}

// copyRest appends what is missing to a part of a blob, and tells whether there
// was some of it before.
func (o *operation) copyRest(ctx context.Context, part *os.File, from image.Blobs, d v1.Descriptor, count *progress.Counter) (resumed bool, err error) {
	st, err := part.Stat()
	if err != nil {
		return false, err
	}
	offset := st.Size()
	if offset > d.Size {
		offset = 0
		if err := part.Truncate(0); err != nil {
			return false, err
		}
	}
	if _, err := part.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	rest, err := from.OpenBlob(ctx, d, offset)
	if err != nil {
		return false, err
	}
	defer rest.Close()
	count.Event.Done = 0
	// The part is read through the verifier, and what follows is written as it comes.
	whole := io.MultiReader(io.LimitReader(part, offset), io.TeeReader(rest, io.NewOffsetWriter(part, offset)))
	v, err := image.NewVerifier(whole, d)
	if err != nil {
		return false, err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{count}, cancel.Reader(ctx, v), make([]byte, 1<<20))
	if err != nil {
		err = fmt.Errorf("copying %s: %w", d.Digest, err)
	}
	return offset > 0, err
}

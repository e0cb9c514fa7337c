package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/layer"
	"github.com/davit-containers/davit/bundle/progress"
)

// LayerOptions say how layers are unpacked.
type LayerOptions struct {
	// Layer says whom the files belong to and where overlayfs's attributes are.
	// Layers that were unpacked otherwise are others.
	Layer layer.Options
	// Parallel is how many layers are unpacked at once. 0: as many as there are
	// processors, and not more than 4.
	Parallel int
	// Progress takes what is unpacked so far.
	Progress progress.Func
}

func (o LayerOptions) parallel() int {
	if o.Parallel > 0 {
		return o.Parallel
	}
	return min(runtime.GOMAXPROCS(0), 4)
}

// form is the end of the name of a layer that was unpacked with other owners or
// for other attributes than those of a privileged user.
func (o LayerOptions) form() string {
	if o.Layer.UIDs == nil && o.Layer.GIDs == nil && !o.Layer.OneOwner && o.Layer.Namespace != layer.User {
		return ""
	}
	text := fmt.Sprint(o.Layer.UIDs, o.Layer.GIDs, o.Layer.OneOwner, o.Layer.Namespace)
	sum := sha256.Sum256([]byte(text))
	return "-" + hex.EncodeToString(sum[:4])
}

// Layers are the unpacked layers of an image. They are not collected before
// they are closed, or the process ends. A [Store.Hold] keeps them for longer.
type Layers struct {
	// Dirs are the layers' directories in overlayfs's form, the nearest first.
	// Those that a layer hides as a whole are left out.
	Dirs []string

	op *operation
}

// Close lets go of the layers.
func (l *Layers) Close() error { return l.op.end() }

// Layers unpacks the layers of an image that are not there yet, each once also
// where several processes want it at the same time. Each is verified.
//
// Errors: [image.ErrNotFound], a [image.RejectedError], those of the system.
func (s *Store) Layers(ctx context.Context, img *Image, o LayerOptions) (*Layers, error) {
	op, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	l := &Layers{op: op}
	err = op.use(ctx, img.Image)
	if err == nil {
		l.Dirs, err = op.layers(ctx, img.Image, o, nil)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("unpacking image %s: %w", img.ID(), err), op.end())
	}
	return l, nil
}

// hasImage tells whether an image is still there, after it was pinned.
func (s *Store) hasImage(img *image.Image) error {
	ok, err := s.hasBlob(img.Descriptor())
	if err == nil && !ok {
		err = image.ErrNotFound
	}
	return err
}

func chainPins(img *image.Image) []string {
	var names []string
	for _, id := range img.ChainIDs() {
		names = append(names, chainPin(id))
	}
	return names
}

// unpacked is what a layer's file says of it.
type unpacked struct {
	Chain  v1.Hash `json:"chain"`
	DiffID v1.Hash `json:"diffID"`
	// Opaque layers hide all below them.
	Opaque bool `json:"opaque,omitempty"`
	// Boot is set while the layer may not be on disk: it is good as long as the
	// machine runs that was started then.
	Boot string `json:"boot,omitempty"`
}

// lost tells whether the machine went down before a layer was on disk.
func (u unpacked) lost() bool { return u.Boot != "" && u.Boot != bootID() }

// The names in a layer's directory.
const (
	treeName  = "fs"
	aboutName = "layer.json"
	blobsName = "blobs" // has an empty file for each blob that was found to be this layer
)

// task is one layer of an image.
type task struct {
	op      *operation
	o       LayerOptions
	d       v1.Descriptor
	diffID  v1.Hash
	chain   v1.Hash
	path    string // where it is to be
	claim   *os.File
	tree    *os.File // open while others settle on it
	about   unpacked
	below   []*task // the nearest first
	settled chan struct{}
}

// layers unpacks what is missing, as soon as its blobs are there, and gives the
// directories for overlayfs.
func (o *operation) layers(ctx context.Context, img *image.Image, opts LayerOptions, there arrivals) ([]string, error) {
	tasks := o.tasks(img, opts)
	defer func() {
		for _, t := range tasks {
			t.close()
		}
	}()
	// In the order of the layers: who waits for another process has nothing that
	// the other one waits for.
	for _, t := range tasks {
		if err := t.start(ctx); err != nil {
			return nil, err
		}
	}
	if err := unpackAll(ctx, tasks, opts.parallel(), there); err != nil {
		return nil, errors.Join(err, discard(tasks))
	}
	if err := o.publish(tasks); err != nil {
		return nil, errors.Join(err, discard(tasks))
	}
	return dirs(tasks), nil
}

func (o *operation) tasks(img *image.Image, opts LayerOptions) []*task {
	descriptors, diffIDs := img.LayerDescriptors(), img.DiffIDs()
	var tasks []*task
	for i, chain := range img.ChainIDs() {
		below := slices.Clone(tasks)
		slices.Reverse(below)
		tasks = append(tasks, &task{
			op: o, o: opts, d: descriptors[i], diffID: diffIDs[i], chain: chain,
			path: o.store.path("layers", chain.Hex+opts.form()), below: below, settled: make(chan struct{}),
		})
	}
	return tasks
}

// dirs are the directories for overlayfs, the nearest first, down to one that
// hides those below it.
func dirs(tasks []*task) []string {
	var dirs []string
	for _, t := range slices.Backward(tasks) {
		dirs = append(dirs, filepath.Join(t.path, treeName))
		if t.about.Opaque {
			break
		}
	}
	return dirs
}

// start finds the layer, or claims it. Another process may be unpacking it.
func (t *task) start(ctx context.Context) error {
	if ok, err := t.found(); ok || err != nil {
		return err
	}
	claim, err := t.op.store.claim(ctx, filepath.Base(t.staging()), makeAndOpenDir, func() {
		t.o.Progress.Report(progress.Event{Phase: progress.Waiting, Layer: t.d.Digest.String()})
	})
	if err != nil {
		return err
	}
	t.claim = claim
	ok, err := t.found()
	if ok || err != nil {
		return errors.Join(err, t.discard())
	}
	return t.clear()
}

// staging is where the layer is while it is not whole.
func (t *task) staging() string {
	return t.op.store.path("work", chainPrefix+filepath.Base(t.path))
}

// found opens the layer if it is there.
func (t *task) found() (bool, error) {
	raw, err := os.ReadFile(filepath.Join(t.path, aboutName))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(raw, &t.about); err != nil {
		return false, fmt.Errorf("reading layer %s: %w", t.chain, err)
	}
	if t.about.lost() {
		return false, t.replaceLost()
	}
	t.tree, err = os.Open(filepath.Join(t.path, treeName))
	if err != nil {
		return false, err
	}
	close(t.settled)
	return true, nil
}

// replaceLost makes room for a layer in the place of one that was lost, once it is
// claimed.
func (t *task) replaceLost() error {
	t.about = unpacked{}
	if t.claim == nil {
		return nil
	}
	return t.op.store.trash(filepath.Base(t.path))
}

// clear makes the empty directory of a layer, whatever a killed process left.
func (t *task) clear() error {
	names, err := t.claim.Readdirnames(-1)
	for _, name := range names {
		err = errors.Join(err, os.RemoveAll(filepath.Join(t.staging(), name)))
	}
	if err != nil {
		return err
	}
	for _, name := range []string{treeName, blobsName} {
		if err := os.Mkdir(filepath.Join(t.staging(), name), 0o755); err != nil {
			return err
		}
	}
	path := filepath.Join(t.staging(), treeName)
	if err := os.Chmod(path, 0o755); err != nil {
		return err
	}
	t.tree, err = os.Open(path)
	return err
}

// discard removes what is not published.
func (t *task) discard() error {
	if t.claim == nil {
		return nil
	}
	err := errors.Join(os.RemoveAll(t.staging()), t.claim.Close())
	t.claim = nil
	return err
}

func discard(tasks []*task) error {
	var errs []error
	for _, t := range tasks {
		errs = append(errs, t.discard())
	}
	return errors.Join(errs...)
}

// close gives back what is open. A claim that is still there is discarded.
func (t *task) close() {
	if t.tree != nil {
		t.tree.Close()
	}
	t.discard()
}

// publish writes all new layers to disk, once, and puts them in their places,
// the lowest first.
func (o *operation) publish(tasks []*task) error {
	var published []*task
	for _, t := range tasks {
		if t.claim == nil {
			continue
		}
		if err := t.describe(); err != nil {
			return err
		}
		published = append(published, t)
	}
	if len(published) == 0 {
		return nil
	}
	if err := unix.Syncfs(int(published[0].claim.Fd())); err != nil {
		return fmt.Errorf("writing layers to disk: %w", err)
	}
	for _, t := range published {
		if err := os.Rename(t.staging(), t.path); err != nil {
			return err
		}
		t.claim.Close()
		t.claim = nil
		o.noteChain(filepath.Base(t.path))
	}
	return syncDir(o.store.path("layers"))
}

// describe writes the layer's file.
func (t *task) describe() error {
	if err := os.WriteFile(filepath.Join(t.staging(), blobsName, blobPin(t.d.Digest)), nil, 0o600); err != nil {
		return err
	}
	return writeAbout(t.staging(), t.about)
}

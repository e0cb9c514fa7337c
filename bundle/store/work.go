package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/image"
)

// Work makes layers, one upon the other, and images of them, as a build does. What
// it has touched is not collected before it is closed, or the process ends.
type Work struct {
	op *operation
	o  LayerOptions

	mu    sync.Mutex
	blobs map[v1.Hash]string // compressed layers that wait for an image, by digest
}

// Begin begins a work. Its layers are unpacked with the options.
func (s *Store) Begin(ctx context.Context, o LayerOptions) (*Work, error) {
	op, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	return &Work{op: op, o: o, blobs: map[v1.Hash]string{}}, nil
}

// Close ends the work, and removes what is in its scratch directory.
func (w *Work) Close() error { return w.op.end() }

// Scratch makes a directory on the file system of the layers. It goes with the
// work, also after the process was killed; nothing may be mounted in it then.
func (w *Work) Scratch() (string, error) {
	dir := filepath.Join(w.op.path, scratchPrefix+rand.Text())
	return dir, os.Mkdir(dir, dirMode)
}

// scratchPrefix begins names in an operation's directory that are no pins.
const scratchPrefix = "scratch-"

// Layers unpacks the layers of an image that are not there yet, and gives their
// directories: see [Layers.Dirs].
//
// Errors: those of [Store.Layers].
func (w *Work) Layers(ctx context.Context, img *Image) ([]string, error) {
	err := w.op.use(ctx, img.Image)
	if err != nil {
		return nil, fmt.Errorf("unpacking image %s: %w", img.ID(), err)
	}
	dirs, err := w.op.layers(ctx, img.Image, w.o, nil)
	if err != nil {
		return nil, fmt.Errorf("unpacking image %s: %w", img.ID(), err)
	}
	return dirs, nil
}

// Layer is a layer that was made.
type Layer struct {
	// Chain names the layer with all below it.
	Chain  v1.Hash `json:"chain"`
	DiffID v1.Hash `json:"diffID"`
	// Blob is the compressed layer, nil while nobody needs it.
	Blob *v1.Descriptor `json:"blob,omitempty"`
}

// Adopted is a layer that is to be adopted.
type Adopted struct {
	// Dir is the layer in overlayfs's form, on the store's file system. Nobody
	// writes to it any more.
	Dir string
	// Below is the chain of the layers below; zero: there are none.
	Below v1.Hash
	// Write writes the layer's archive, not compressed.
	Write func(context.Context, io.Writer) error
	// Compression is that of its blob; "" makes none.
	Compression Compression
}

// Adopt takes a directory over as an unpacked layer: it moves it to its place.
// That is quick, and not yet safe from a loss of power: after one, the layer is
// not there. [Work.Commit] writes it to disk. Where nothing is in the layer's
// archive, there is none, and the directory stays.
func (w *Work) Adopt(ctx context.Context, a Adopted) (l Layer, changed bool, err error) {
	if l, err = w.archive(ctx, a); err != nil {
		return l, false, fmt.Errorf("keeping a layer: %w", err)
	}
	if l.DiffID == emptyArchive() {
		return l, false, w.drop(l)
	}
	l.Chain = chainOn(a.Below, l.DiffID)
	if err := w.op.pin(ctx, chainPin(l.Chain)); err != nil {
		return l, false, fmt.Errorf("keeping a layer: %w", err)
	}
	t := w.task(l)
	defer t.close()
	if err = t.start(ctx); err == nil && t.claim != nil {
		err = t.adopt(a.Dir)
	}
	if err != nil {
		return l, false, fmt.Errorf("keeping layer %s: %w", l.Chain, err)
	}
	return l, true, nil
}

// drop forgets a layer's blob.
func (w *Work) drop(l Layer) error {
	if l.Blob == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	path := w.blobs[l.Blob.Digest]
	delete(w.blobs, l.Blob.Digest)
	return os.Remove(path)
}

// emptyArchive is the digest of an archive that nothing is in: two empty blocks.
var emptyArchive = sync.OnceValue(func() v1.Hash {
	sum := sha256.New()
	sum.Write(make([]byte, 1024))
	return digest(sum)
})

// chainOn is the chain of a layer on others.
// Spec: config.md#layer-chainid
func chainOn(below, diffID v1.Hash) v1.Hash {
	if below == (v1.Hash{}) {
		return diffID
	}
	return image.ChainIDs([]v1.Hash{below, diffID})[1]
}

func (w *Work) task(l Layer) *task {
	return &task{op: w.op, o: w.o, diffID: l.DiffID, chain: l.Chain, path: w.layerPath(l.Chain), settled: make(chan struct{})}
}

func (w *Work) layerPath(chain v1.Hash) string {
	return w.op.store.path("layers", chain.Hex+w.o.form())
}

// Dir is the directory of a layer for overlayfs.
func (w *Work) Dir(l Layer) string { return filepath.Join(w.layerPath(l.Chain), treeName) }

// adopt moves a directory to the place that was claimed.
func (t *task) adopt(dir string) error {
	tree := filepath.Join(t.staging(), treeName)
	if err := errors.Join(os.Remove(tree), os.Rename(dir, tree)); err != nil {
		return err
	}
	t.about = unpacked{Chain: t.chain, DiffID: t.diffID, Boot: bootID()}
	if err := writeAbout(t.staging(), t.about); err != nil {
		return err
	}
	if err := os.Rename(t.staging(), t.path); err != nil {
		return err
	}
	t.claim.Close()
	t.claim = nil
	return nil
}

// archive hashes a layer's archive, and compresses it where that is wanted.
func (w *Work) archive(ctx context.Context, a Adopted) (Layer, error) {
	how := CommitOptions{Layer: a.Write, Compression: a.Compression}
	if a.Compression == "" {
		how.Compression = Plain
		_, diffID, err := writeLayer(ctx, nowhere{}, how)
		return Layer{DiffID: diffID}, err
	}
	path := filepath.Join(w.op.path, scratchPrefix+rand.Text())
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Layer{}, err
	}
	d, diffID, err := writeLayer(ctx, f, how)
	if err = errors.Join(err, f.Close()); err != nil {
		return Layer{}, errors.Join(err, os.Remove(path))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blobs[d.Digest] = path
	return Layer{DiffID: diffID, Blob: &d}, nil
}

// nowhere takes bytes for their sums.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// Compress makes the blob of a layer that has none.
func (w *Work) Compress(ctx context.Context, l Layer, c Compression, write func(context.Context, io.Writer) error) (Layer, error) {
	made, err := w.archive(ctx, Adopted{Write: write, Compression: c})
	if err == nil && made.DiffID != l.DiffID {
		err = image.Rejected("its files are not what they were: %s is now %s", l.DiffID, made.DiffID)
	}
	if err != nil {
		return l, fmt.Errorf("compressing layer %s: %w", l.Chain, err)
	}
	l.Blob = made.Blob
	return l, nil
}

// Commit makes an image of layers that are in the store or were made by this
// work, and writes all to disk. The configuration has the layers' DiffIDs.
func (w *Work) Commit(ctx context.Context, config *image.Config, layers []v1.Descriptor, names []image.Name) (*Image, error) {
	img, err := image.New(w.op.store, config, layers)
	if err == nil {
		err = w.settle(ctx, img)
	}
	if err == nil {
		err = w.op.add(ctx, img, names, AddOptions{})
	}
	if err != nil {
		return nil, fmt.Errorf("committing an image: %w", err)
	}
	return w.op.store.Get(ctx, img.Descriptor().Digest.String())
}

// settle writes the layers of an image to disk, and then says so in their files.
func (w *Work) settle(ctx context.Context, img *image.Image) error {
	loose, err := w.loose(img)
	if err != nil {
		return err
	}
	if err := w.op.pin(ctx, append(pins(img), chainPins(img)...)...); err != nil {
		return err
	}
	if err := w.syncAll(len(loose) > 0); err != nil {
		return err
	}
	for _, l := range loose {
		l.about.Boot = ""
		if err := writeAbout(l.path, l.about); err != nil {
			return err
		}
	}
	return w.placeBlobs(ctx)
}

// looseLayer is one that may not be on disk yet.
type looseLayer struct {
	path  string
	about unpacked
}

func (w *Work) loose(img *image.Image) ([]looseLayer, error) {
	var list []looseLayer
	for _, chain := range img.ChainIDs() {
		l := looseLayer{path: w.layerPath(chain)}
		raw, err := os.ReadFile(filepath.Join(l.path, aboutName))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = json.Unmarshal(raw, &l.about)
		}
		if err != nil {
			return nil, fmt.Errorf("reading layer %s: %w", chain, err)
		}
		if l.about.Boot != "" {
			list = append(list, l)
		}
	}
	return list, nil
}

// syncAll writes the store's file system to disk, if there is anything.
func (w *Work) syncAll(loose bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !loose && len(w.blobs) == 0 {
		return nil
	}
	if err := unix.Syncfs(int(w.op.dir.Fd())); err != nil {
		return fmt.Errorf("writing layers to disk: %w", err)
	}
	return nil
}

// placeBlobs puts blobs that are on disk in their places.
func (w *Work) placeBlobs(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for h, path := range w.blobs {
		if err := w.op.pin(ctx, blobPin(h)); err != nil {
			return err
		}
		if err := os.Rename(path, w.op.store.blobPath(h)); err != nil {
			return err
		}
		delete(w.blobs, h)
	}
	return nil
}

// writeAbout writes what is said of a layer, whole or not at all.
func writeAbout(dir string, about unpacked) error {
	raw, err := json.Marshal(about)
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, "."+rand.Text())
	if err := os.WriteFile(temp, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(dir, aboutName))
}

// bootID names the time since the machine was started.
var bootID = sync.OnceValue(func() string {
	raw, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(raw)
})

package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/layer"
	"github.com/davit-containers/davit/bundle/rootfs"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/build/dockerfile"
	"github.com/davit-containers/davit/shim/network"
)

// Options is what a person wants of a build.
type Options struct {
	Store *store.Store
	// Run is a directory for the states of the runtime, which is made.
	Run string
	// Filters is where compiled seccomp filters are kept; "" is below Run.
	Filters string
	// File is the Dockerfile that was read, but for the configurations of images.
	File func(dockerfile.Images) (*dockerfile.File, error)
	// Context is the directory that files are copied from; Ignore are the patterns
	// of what is left out of it.
	Context *os.File
	Ignore  []string
	// Fetch gives the image of a name for a platform, and brings it if need be.
	Fetch func(ctx context.Context, name, platform string) (*store.Image, error)
	// NoCache does each step anew.
	NoCache bool
	// CacheLimit is how many bytes the layers of remembered steps may have in the
	// store, and how many the directories of RUN --mount=type=cache: what was not used
	// for longest goes at a build's end. 0 is any number.
	CacheLimit int64
	// Network is that of the programs that run: none, host or default, which is that
	// of containers; "" is none.
	Network string
	// Hosts are further lines of their hosts files.
	Hosts   []network.HostEntry
	Secrets map[string]Secret
	// Image wants an image, with names; its layers are compressed.
	Image       bool
	Names       []image.Name
	Compression store.Compression
	// Output, where set, is given the target's root file system.
	Output func(context.Context, Tree) error
	// OneOwner tells that the user namespace has only one user, and Rootless that
	// there is one at all.
	Rootless, OneOwner bool
	Report             Report
	Warn               func(string)
}

// Tree is a root file system, in layers, the nearest first.
type Tree struct {
	Dirs      []string
	Userxattr bool

	scratch func() (string, error)
}

// builder is one build.
type builder struct {
	o       Options
	work    *store.Work
	report  *reporter
	support rootfs.Support
	plan    *dockerfile.Plan
	id      string        // names what is running
	mine    *os.File      // says that this build lives
	slots   chan struct{} // for steps that are done at the same time
	final   map[*dockerfile.Stage]bool
	files   *files
	nets    nets

	mu     sync.Mutex
	images map[string]*fetched
	stages map[*dockerfile.Stage]*made
	doing  map[string]chan struct{}
}

// Build builds the target of a Dockerfile. The image is nil where none is wanted.
func Build(ctx context.Context, o Options) (img *store.Image, err error) {
	b, err := begin(ctx, o)
	if err != nil {
		return nil, err
	}
	img, err = b.build(ctx)
	if err = errors.Join(err, b.end()); err != nil {
		return nil, err
	}
	if err := trim(ctx, o.Store, o.CacheLimit); err != nil {
		o.Warn("making room: " + err.Error())
	}
	return img, nil
}

func (b *builder) build(ctx context.Context) (*store.Image, error) {
	if err := b.compile(ctx); err != nil {
		return nil, err
	}
	target, err := b.all(ctx)
	if err != nil {
		return nil, err
	}
	if b.o.Output != nil {
		if err := b.o.Output(ctx, Tree{target.dirs, b.support.Userxattr, b.work.Scratch}); err != nil {
			return nil, err
		}
	}
	if !b.o.Image {
		return nil, nil
	}
	return b.commit(ctx, target)
}

// begin opens what a build needs.
func begin(ctx context.Context, o Options) (*builder, error) {
	support, err := rootfs.MemoryIn(o.Store.Root()).Probe(ctx, o.Store.Root())
	if err != nil {
		return nil, err
	}
	if !support.Overlay {
		return nil, fmt.Errorf("building: %s", support.Reason)
	}
	b := &builder{
		o: o, support: support, report: &reporter{report: o.Report}, slots: make(chan struct{}, max(2, runtime.GOMAXPROCS(0))),
		images: map[string]*fetched{}, stages: map[*dockerfile.Stage]*made{}, doing: map[string]chan struct{}{}, final: map[*dockerfile.Stage]bool{},
	}
	if b.files, err = contextFiles(o); err != nil {
		return nil, err
	}
	if err := b.register(); err != nil {
		return nil, err
	}
	b.work, err = o.Store.Begin(ctx, store.LayerOptions{Layer: b.layerOptions()})
	return b, err
}

// layerOptions are how layers are unpacked here.
func (b *builder) layerOptions() layer.Options {
	how := layer.Options{OneOwner: b.o.OneOwner}
	if b.support.Userxattr {
		how.Namespace = layer.User
	}
	return how
}

// end closes everything.
func (b *builder) end() error {
	var errs []error
	for _, m := range b.stages {
		errs = append(errs, m.close())
	}
	for _, f := range b.images {
		errs = append(errs, f.close())
	}
	errs = append(errs, b.disconnect(), b.work.Close(), os.Remove(filepath.Join(b.o.Run, "builds", b.id)), b.mine.Close())
	return errors.Join(errs...)
}

// compile brings the base images, side by side, and makes the plan.
func (b *builder) compile(ctx context.Context) error {
	file, err := b.o.File(func(name, platform string) (*image.Config, error) {
		f, err := b.image(ctx, name, platform)
		if err != nil {
			return nil, err
		}
		return f.img.OwnConfig(), nil
	})
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, base := range file.Bases() {
		g.Go(func() error {
			_, err := b.image(gctx, base.Image, base.Platform)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if b.plan, err = file.Compile(); err != nil {
		return err
	}
	for _, w := range b.plan.Warnings {
		b.o.Warn(w)
	}
	for s := b.plan.Target(); s != nil && b.o.Image; s = s.Base.Stage {
		b.final[s] = true
	}
	return nil
}

// all makes the stages, side by side where they need not wait for one another.
func (b *builder) all(ctx context.Context) (*made, error) {
	for _, s := range b.plan.Stages {
		b.stages[s] = &made{b: b, stage: s, ready: make(chan struct{})}
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range b.plan.Stages {
		m := b.stages[s]
		g.Go(func() error {
			if err := m.make(ctx); err != nil {
				return err
			}
			close(m.ready)
			return nil
		})
	}
	return b.stages[b.plan.Target()], g.Wait()
}

// commit makes the image of the target.
func (b *builder) commit(ctx context.Context, m *made) (*store.Image, error) {
	j := b.report.begin("exporting the image")
	img, err := b.tryCommit(ctx, m)
	return img, j.end(err, Done)
}

func (b *builder) tryCommit(ctx context.Context, m *made) (*store.Image, error) {
	if err := m.compress(ctx); err != nil {
		return nil, err
	}
	config := m.stage.Config.DeepCopy()
	config.History, config.RootFS = m.history, v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}}
	config.Created = m.created
	var blobs []v1.Descriptor
	for _, l := range m.layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.DiffID)
		blobs = append(blobs, *l.Blob)
	}
	return b.work.Commit(ctx, config, blobs, b.o.Names)
}

// fetched is an image that was brought, or is being.
type fetched struct {
	ready chan struct{}
	img   *store.Image
	dirs  []string
	err   error
	view  view
}

// image brings an image, once, and unpacks it.
func (b *builder) image(ctx context.Context, name, platform string) (*fetched, error) {
	key := name + " " + platform
	b.mu.Lock()
	f, known := b.images[key]
	if !known {
		f = &fetched{ready: make(chan struct{})}
		b.images[key] = f
	}
	b.mu.Unlock()
	if !known {
		f.err = b.fetch(ctx, f, name, platform)
		close(f.ready)
	}
	select {
	case <-f.ready:
		return f, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b *builder) fetch(ctx context.Context, f *fetched, name, platform string) error {
	j := b.report.begin("load " + name)
	img, err := b.o.Fetch(ctx, name, platform)
	if err == nil {
		f.img = img
		f.dirs, err = b.work.Layers(ctx, img)
	}
	return j.end(err, Done)
}

func (f *fetched) close() error { return f.view.close() }

// identity is what an image's files are known by.
func (f *fetched) identity() string {
	ids := f.img.ChainIDs()
	if len(ids) == 0 {
		return "nothing"
	}
	return ids[len(ids)-1].String()
}

// now is a time for a configuration, whole seconds of UTC.
func now() v1.Time { return v1.Time{Time: time.Now().UTC()} }

// short is a text in one line.
func short(text string) string { return strings.Join(strings.Fields(text), " ") }

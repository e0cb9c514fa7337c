package build

import (
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/davit-containers/davit/bundle/diff"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/build/dockerfile"
	"github.com/davit-containers/davit/shim/internal/diskusage"
)

// made is what a stage has come to.
type made struct {
	b     *builder
	stage *dockerfile.Stage
	ready chan struct{} // closed when all is there

	dirs    []string      // the layers for overlayfs, the nearest first
	layers  []store.Layer // the lowest first
	history []v1.History
	created v1.Time
	key     string // what the files are known by
	view    view
}

func (m *made) close() error { return m.view.close() }

// make carries out the steps.
func (m *made) make(ctx context.Context) error {
	if err := m.wait(ctx); err != nil {
		return err
	}
	if err := m.base(ctx); err != nil {
		return err
	}
	for _, step := range m.stage.Steps {
		if err := m.step(ctx, step); err != nil {
			if step.Line > 0 {
				err = fmt.Errorf("Dockerfile, line %d: %w", step.Line, err)
			}
			return err
		}
	}
	m.date()
	return nil
}

// date gives those instructions a time that came before the first layer.
func (m *made) date() {
	first := now()
	for _, h := range m.history {
		if !h.Created.IsZero() {
			first = h.Created
			break
		}
	}
	for i := range m.history {
		if m.history[i].Created.IsZero() {
			m.history[i].Created = first
		}
	}
	if m.created.IsZero() {
		m.created = first
	}
}

// wait waits for the stages that this one needs.
func (m *made) wait(ctx context.Context) error {
	for _, s := range m.needs() {
		select {
		case <-m.b.stages[s].ready:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// needs are the stages that this one takes files of.
func (m *made) needs() []*dockerfile.Stage {
	var list []*dockerfile.Stage
	add := func(s *dockerfile.Source) {
		if s != nil && s.Stage != nil {
			list = append(list, s.Stage)
		}
	}
	add(&m.stage.Base)
	for _, step := range m.stage.Steps {
		switch {
		case step.Copy != nil:
			add(&step.Copy.From)
		case step.Run != nil:
			for i := range step.Run.Mounts {
				add(step.Run.Mounts[i].From)
			}
		}
	}
	return list
}

// base begins with what the base has.
func (m *made) base(ctx context.Context) error {
	switch base := m.stage.Base; base.Kind {
	case dockerfile.FromStage:
		from := m.b.stages[base.Stage]
		m.dirs, m.layers, m.key, m.created = from.dirs, from.layers[:len(from.layers):len(from.layers)], from.key, from.created
		m.history = append([]v1.History{}, from.history...)
	case dockerfile.Scratch:
		m.key = "scratch"
	case dockerfile.FromImage:
		f, err := m.b.image(ctx, base.Image, base.Platform)
		if err != nil {
			return err
		}
		m.dirs, m.key, m.created = f.dirs, f.identity(), f.img.Config().Created
		m.history = append([]v1.History{}, f.img.Config().History...)
		chains, diffs, blobs := f.img.ChainIDs(), f.img.DiffIDs(), f.img.LayerDescriptors()
		for i := range blobs {
			m.layers = append(m.layers, store.Layer{Chain: chains[i], DiffID: diffs[i], Blob: &blobs[i]})
		}
	}
	return nil
}

// chain names the layers so far.
func (m *made) chain() v1.Hash {
	if len(m.layers) == 0 {
		return v1.Hash{}
	}
	return m.layers[len(m.layers)-1].Chain
}

// step carries out one step, or finds what it came to before.
func (m *made) step(ctx context.Context, step *dockerfile.Step) error {
	if !step.Changes() {
		m.note(step, store.Cached{})
		return nil
	}
	if err := m.b.take(ctx); err != nil {
		return err
	}
	defer m.b.give()
	j := m.b.report.begin(fmt.Sprintf("[%s %d/%d] %s", m.stage.Name, step.Number, m.stage.Count(), short(step.Text)))
	c, state, err := m.perform(ctx, step, j)
	if err != nil && ctx.Err() != nil {
		j.tell(Canceled, nil, "")
		return ctx.Err()
	}
	if err := j.end(err, state); err != nil {
		return err
	}
	m.note(step, c)
	return nil
}

// note takes what a step came to into the stage. An instruction that changes the
// configuration alone has the time of what came before it: the same file gives the
// same image.
func (m *made) note(step *dockerfile.Step, c store.Cached) {
	h := v1.History{CreatedBy: step.History, Comment: "davit-shim build", Created: v1.Time{Time: c.Created}, EmptyLayer: c.Layer == nil}
	if c.Created.IsZero() {
		h.Created = m.created
	}
	m.created = h.Created
	m.history = append(m.history, h)
	if c.Layer != nil {
		m.layers = append(m.layers, *c.Layer)
		m.dirs = append([]string{m.b.work.Dir(*c.Layer)}, m.dirs...)
	}
}

// perform finds a step in the cache, or does it.
func (m *made) perform(ctx context.Context, step *dockerfile.Step, j *job) (store.Cached, State, error) {
	p, err := m.prepare(ctx, step)
	if err != nil {
		return store.Cached{}, "", err
	}
	defer p.close()
	key := p.key(m.key)
	done, err := m.b.once(ctx, key)
	if err != nil {
		return store.Cached{}, "", err
	}
	defer done()
	c, state, err := m.recall(ctx, key)
	if err == nil && state == "" {
		if c, err = m.do(ctx, p, j); err == nil {
			state, err = Done, m.b.work.Remember(key, c)
		}
	}
	if m.key = key; c.Layer != nil {
		// What comes next is remembered upon this layer, and not upon another that the
		// same step makes once this one is forgotten.
		m.key += " " + c.Chain.String()
	}
	return c, state, err
}

// recall finds what a step came to before; there is no state where it did not.
func (m *made) recall(ctx context.Context, key string) (store.Cached, State, error) {
	if m.b.o.NoCache {
		return store.Cached{}, "", nil
	}
	c, hit, err := m.b.work.Recall(ctx, key)
	if !hit || err != nil {
		return store.Cached{}, "", err
	}
	return c, Cached, nil
}

// do does a step, and keeps what it changed.
func (m *made) do(ctx context.Context, p *prepared, j *job) (c store.Cached, err error) {
	c.Created = now().Time
	r, err := m.b.root(ctx, m.dirs)
	if err != nil {
		return c, err
	}
	err = p.act(ctx, r, j)
	if err = errors.Join(err, r.unmount()); err != nil {
		return c, errors.Join(err, r.remove())
	}
	if c.Size, err = diskusage.Of(r.upper()); err != nil {
		return c, errors.Join(err, r.remove())
	}
	compression := store.Compression("")
	if m.b.final[m.stage] {
		compression = m.b.o.Compression
	}
	layer, changed, err := m.b.work.Adopt(ctx, store.Adopted{
		Dir: r.upper(), Below: m.chain(), Compression: compression, Write: m.difference(append([]string{r.upper()}, m.dirs...), m.dirs),
	})
	if changed {
		c.Layer = &layer
	}
	return c, errors.Join(err, r.remove())
}

// difference writes what layers have over others as an archive.
func (m *made) difference(now, before []string) func(context.Context, io.Writer) error {
	x := m.b.support.Userxattr
	return func(ctx context.Context, w io.Writer) error {
		return diff.Layer(ctx, w, diff.Layers(x, before...), diff.Layers(x, now...), diff.Options{})
	}
}

// compress makes the blobs of those layers that have none.
func (m *made) compress(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cap(m.b.slots))
	for i := range m.layers {
		l := &m.layers[i]
		if l.Blob != nil {
			continue
		}
		at := len(m.layers) - 1 - i // in dirs: the base's layers have their blobs
		g.Go(func() (err error) {
			*l, err = m.b.work.Compress(ctx, *l, m.b.o.Compression, m.difference(m.dirs[at:], m.dirs[at+1:]))
			return err
		})
	}
	return g.Wait()
}

// take waits for a slot.
func (b *builder) take(ctx context.Context) error {
	select {
	case b.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *builder) give() { <-b.slots }

// once waits while the same step is done elsewhere in this build. The function that
// it gives is for the end of it.
func (b *builder) once(ctx context.Context, key string) (func(), error) {
	for {
		b.mu.Lock()
		other, busy := b.doing[key]
		if !busy {
			mine := make(chan struct{})
			b.doing[key] = mine
			b.mu.Unlock()
			return func() {
				b.mu.Lock()
				delete(b.doing, key)
				b.mu.Unlock()
				close(mine)
			}, nil
		}
		b.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/moby/patternmatcher"

	"github.com/davit-containers/davit/shim/build/dockerfile"
	"github.com/davit-containers/davit/shim/network"
)

// keyVersion is in each key: another one forgets what was remembered.
const keyVersion = "davit build 2"

// prepared is a step of which it is known what it depends on.
type prepared struct {
	m    *made
	step *dockerfile.Step
	// inputs stand for the files that the step is given.
	inputs  []string
	sources []*source // of a copy
	fetched *remote   // of a copy
	mounts  []bound   // of a run
}

// key stands for all that a step depends on: the root file system that it works
// in, what it does, and the files that it is given.
func (p *prepared) key(parent string) string {
	action, _ := json.Marshal(struct {
		Run     *dockerfile.Run     `json:"run,omitempty"`
		Copy    *dockerfile.Copy    `json:"copy,omitempty"`
		Workdir *dockerfile.Workdir `json:"workdir,omitempty"`
		Network string              `json:"network,omitempty"`
		Hosts   []network.HostEntry `json:"hosts,omitempty"`
	}{p.step.Run, p.step.Copy, p.step.Workdir, p.network(), p.hosts()}) // values that are always text
	all, _ := json.Marshal([]any{keyVersion, p.m.b.layerOptions().OneOwner, parent, json.RawMessage(action), p.inputs})
	sum := sha256.Sum256(all)
	return hex.EncodeToString(sum[:])
}

// network is that of a run.
func (p *prepared) network() string {
	switch {
	case p.step.Run == nil:
		return ""
	case p.step.Run.Network != "":
		return p.step.Run.Network
	}
	return p.m.b.o.Network
}

// hosts are what a run finds in its hosts file by the build's wish.
func (p *prepared) hosts() []network.HostEntry {
	if p.step.Run == nil {
		return nil
	}
	return p.m.b.o.Hosts
}

// prepare finds out what a step depends on.
func (m *made) prepare(ctx context.Context, step *dockerfile.Step) (*prepared, error) {
	p := &prepared{m: m, step: step}
	var err error
	switch {
	case step.Copy != nil:
		err = p.prepareCopy(ctx)
	case step.Run != nil:
		err = p.prepareRun(ctx)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *prepared) close() {
	closeAll(p.sources)
	p.fetched.close()
	for _, m := range p.mounts {
		closeAll(m.sources)
	}
}

// act does the step in a root file system.
func (p *prepared) act(ctx context.Context, r *root, j *job) error {
	switch {
	case p.step.Copy != nil:
		return p.copy(ctx, r, j)
	case p.step.Run != nil:
		return p.run(ctx, r, j)
	}
	return p.workdir(r)
}

// from is the tree that a source stands for.
func (b *builder) from(ctx context.Context, s dockerfile.Source) (*files, error) {
	switch s.Kind {
	case dockerfile.FromStage:
		m := b.stages[s.Stage]
		return m.view.open(ctx, b, m.dirs)
	case dockerfile.FromImage:
		f, err := b.image(ctx, s.Image, s.Platform)
		if err != nil {
			return nil, err
		}
		return f.view.open(ctx, b, f.dirs)
	case dockerfile.Context:
		if b.files == nil {
			return nil, errors.New("there is no context to take files of [the Dockerfile came alone]")
		}
		return b.files, nil
	}
	return nil, fmt.Errorf("%s has no files", s.Kind)
}

// contextFiles is the context, without what is left out of it.
func contextFiles(o Options) (*files, error) {
	if o.Context == nil {
		return nil, nil
	}
	f := &files{root: o.Context}
	if len(o.Ignore) > 0 {
		var err error
		if f.ignore, err = patternmatcher.New(o.Ignore); err != nil {
			return nil, fmt.Errorf(".dockerignore: %w", err)
		}
	}
	return f, nil
}

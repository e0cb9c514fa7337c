package hook

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Options is what every hook of a call has in common.
type Options struct {
	// Dir is the working directory, the bundle's absolute path.
	Dir string
	// Env are variables that a hook gets besides its own, unless these have them.
	Env []string
}

// Run runs the hooks of one kind ("createRuntime") one after the other, each
// with state, the container's state as JSON, as its standard input. The first
// that fails ends the list; a hook also fails by its timeout, and when ctx
// ends. Its error names the kind, the number and the path, and holds what the
// hook printed.
//
// A hook has the environment that it names, and Options.Env. One that names none
// has this process's besides, as in runc: never the container's.
//
// Spec: config.md#posix-platform-hooks
func Run(ctx context.Context, kind string, hooks []specs.Hook, state []byte, o Options) error {
	for i := range hooks {
		if err := runOne(ctx, &hooks[i], state, o); err != nil {
			return failure(kind, i, hooks[i].Path, err)
		}
	}
	return nil
}

// RunAll is [Run] that goes on after a failure, and returns every one, as
// poststop hooks need.
//
// Spec: runtime.md#lifecycle
func RunAll(ctx context.Context, kind string, hooks []specs.Hook, state []byte, o Options) []error {
	var failures []error
	for i := range hooks {
		if err := runOne(ctx, &hooks[i], state, o); err != nil {
			failures = append(failures, failure(kind, i, hooks[i].Path, err))
		}
	}
	return failures
}

// failure words an error as runc does, whose users search for it.
func failure(kind string, i int, path string, err error) error {
	return fmt.Errorf("error running %s hook #%d: %s: %w", kind, i, path, err)
}

// longest is the most seconds that a time.Duration holds.
const longest = math.MaxInt64 / int(time.Second)

// runOne runs a hook within its timeout.
func runOne(ctx context.Context, h *specs.Hook, state []byte, o Options) error {
	if h.Timeout != nil {
		limit := time.Duration(min(*h.Timeout, longest)) * time.Second
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit,
			fmt.Errorf("hook ran past specified timeout of %.1fs", limit.Seconds()))
		defer cancel()
	}
	p, err := start(h, o)
	if err != nil {
		return err
	}
	defer p.close()
	return p.finish(ctx, state)
}

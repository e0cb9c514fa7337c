package plan

import (
	"encoding/json"
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// createHooks runs the hooks that come after the mounts and before the root
// is entered: prestart and createRuntime by the parent, createContainer by
// the stage in the container's namespaces.
// Spec: config.md#posix-platform-hooks
func (c *compiler) createHooks() error {
	h := c.spec.Hooks
	if h == nil {
		return nil
	}
	//lint:ignore SA1019 prestart is deprecated and still used by everyone
	if len(h.Prestart) > 0 || len(h.CreateRuntime) > 0 {
		c.do("running prestart and createRuntime hooks", OpSync, str(SyncHooks))
	}
	return c.hooks("createContainer", h.CreateContainer, specs.StateCreated, nil)
}

// hooks has the stage run hooks in the container. Where a hook has no
// environment of its own it gets env.
func (c *compiler) hooks(kind string, hooks []specs.Hook, status specs.ContainerState, env []string) error {
	if len(hooks) == 0 {
		return nil
	}
	head, tail, err := c.hookState(status)
	if err != nil {
		return err
	}
	for i, h := range hooks {
		args := h.Args
		if len(args) == 0 {
			args = []string{h.Path}
		}
		hookEnv := h.Env
		if len(hookEnv) == 0 {
			hookEnv = env
		}
		timeout := 0
		if h.Timeout != nil {
			timeout = *h.Timeout
		}
		doing := fmt.Sprintf("running %s hook #%d", kind, i)
		c.do(doing, OpHook, str(h.Path), list(args), list(addEnv(hookEnv, c.opts.HookEnv)), str(head), str(tail), num(timeout))
	}
	return nil
}

// addEnv adds the variables that are not there.
func addEnv(env, more []string) []string {
	for _, e := range more {
		name, _, _ := strings.Cut(e, "=")
		if !hasKey(env, name) {
			env = append(env[:len(env):len(env)], e)
		}
	}
	return env
}

// hookState is the state as JSON, cut where the pid stands: only the stage
// knows it as it is seen from inside.
// Spec: runtime.md#state
func (c *compiler) hookState(status specs.ContainerState) (head, tail string, err error) {
	state, err := json.Marshal(specs.State{
		Version:     specs.Version,
		ID:          c.opts.ID,
		Status:      status,
		Bundle:      c.opts.Bundle,
		Annotations: c.spec.Annotations,
		Pid:         -1,
	})
	if err != nil {
		return "", "", fmt.Errorf("encoding the state for hooks: %w", err)
	}
	head, tail, _ = strings.Cut(string(state), `"pid":-1`)
	return head + `"pid":`, tail, nil
}

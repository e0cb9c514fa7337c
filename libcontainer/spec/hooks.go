package spec

import specs "github.com/opencontainers/runtime-spec/specs-go"

func checkHooks(s *specs.Spec) *Error {
	if s.Hooks == nil {
		return nil
	}
	for _, kind := range [...]struct {
		name  string
		hooks []specs.Hook
	}{
		{"hooks.prestart", s.Hooks.Prestart},
		{"hooks.createRuntime", s.Hooks.CreateRuntime},
		{"hooks.createContainer", s.Hooks.CreateContainer},
		{"hooks.startContainer", s.Hooks.StartContainer},
		{"hooks.poststart", s.Hooks.Poststart},
		{"hooks.poststop", s.Hooks.Poststop},
	} {
		for i := range kind.hooks {
			if e := checkHook(&kind.hooks[i]); e != nil {
				return in(at(kind.name, i), e)
			}
		}
	}
	return nil
}

func checkHook(h *specs.Hook) *Error {
	if e := checkPath("path", h.Path); e != nil {
		return e
	}
	if e := checkNUL("args", h.Args); e != nil {
		return e
	}
	if e := checkNUL("env", h.Env); e != nil {
		return e
	}
	if h.Timeout != nil && *h.Timeout <= 0 {
		return refuse("timeout", "must be greater than zero")
	}
	return nil
}

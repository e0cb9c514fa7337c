package spec

import specs "github.com/opencontainers/runtime-spec/specs-go"

func checkPersonality(s *specs.Spec) *Error {
	p := linux(s).Personality
	if p == nil || p.Domain == specs.PerLinux || p.Domain == specs.PerLinux32 {
		return nil
	}
	return refuse("linux.personality.domain", "invalid personality domain "+shown(string(p.Domain)))
}

package spec

import specs "github.com/opencontainers/runtime-spec/specs-go"

func checkAnnotations(s *specs.Spec) *Error {
	if _, ok := s.Annotations[""]; ok {
		return refuse("annotations", "a key must not be an empty string")
	}
	return nil
}

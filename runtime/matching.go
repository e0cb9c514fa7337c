package main

import (
	"fmt"
	"regexp"

	"github.com/davit-containers/davit/libcontainer"
)

// eachMatching does something to every container whose id matches a POSIX
// extended regular expression, also in its middle. It goes on after a failure,
// which is a warning; that there was one is the error.
// Compat(crun): --regex, which fails for none of them.
func (p *program) eachMatching(pattern string, do func(*libcontainer.Runtime, string) error) error {
	matcher, err := regexp.CompilePOSIX(pattern)
	if err != nil {
		return fmt.Errorf("invalid regular expression %q: %w", pattern, err)
	}
	rt, err := p.runtime()
	if err != nil {
		return err
	}
	ids, err := p.ids(rt)
	if err != nil {
		return err
	}
	matching, failed := 0, 0
	for _, id := range ids {
		if !matcher.MatchString(id) {
			continue
		}
		matching++
		if err := do(rt, id); err != nil {
			failed++
			p.log.warn(fmt.Sprintf("container %s: %v", id, err))
		}
	}
	if failed > 0 {
		return fmt.Errorf("it failed for %d of %d matching containers", failed, matching)
	}
	return nil
}

package supervise

import (
	"strconv"
	"strings"
	"time"

	"github.com/davit-containers/davit/shim/container"
)

// How long a container waits until it is started again: longer each time, unless
// it has run for a while.
// Compat(moby): its times.
const (
	firstDelay = 100 * time.Millisecond
	maxDelay   = time.Minute
	ranWell    = 10 * time.Second
)

// wantsRestart tells whether the policy has the container started again.
func (s *supervisor) wantsRestart(status int) bool {
	p := s.c.Config.Restart
	if s.state.StoppedByUser {
		return false
	}
	switch p.Name {
	case container.RestartAlways, container.RestartUnlessStopped:
		return true
	case container.RestartOnFailure:
		return status != 0 && (p.Max == 0 || s.state.RestartCount < p.Max)
	}
	return false
}

// startLater starts the container again when it has waited since its end, also
// when a supervisor before this one was killed meanwhile.
func (s *supervisor) startLater() {
	if s.state.FinishedAt.Sub(s.state.StartedAt) >= ranWell {
		s.backoff = 0
	}
	s.backoff = max(firstDelay, min(2*s.backoff, maxDelay))
	s.restart = s.loop.After(s.backoff, s.launch)
}

// exitCodeOf is the exit status that stands for a program that could not be
// started: what the runtime says of it, and not what volumes and networks lack.
// Compat(moby): its numbers.
func exitCodeOf(cause string) int {
	if !strings.HasPrefix(cause, "OCI runtime ") {
		return otherFailure
	}
	for _, phrase := range []string{"executable file not found", "no such file or directory", "not a directory"} {
		if strings.Contains(cause, phrase) {
			return 127
		}
	}
	if strings.Contains(cause, "permission denied") || strings.Contains(cause, "is a directory") || strings.Contains(cause, "exec format error") {
		return 126
	}
	return otherFailure
}

// otherFailure is the exit status of a container that could not be started for a
// reason that its image has no part in.
const otherFailure = 128

func exitAttributes(status uint32) map[string]string {
	return map[string]string{"exitCode": strconv.Itoa(int(status))}
}

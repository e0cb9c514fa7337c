package supervise

import (
	"errors"
	"time"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/keeper"
)

// ErrAsleep is that a supervisor has nothing to do for now. Its keeper starts
// another when there is.
var ErrAsleep = errors.New("the supervisor sleeps")

// After how long without work a supervisor ends: one that was woken waits longer, so
// that a container which writes a line now and then does not start one for each.
const (
	sleepTime = 3 * time.Second
	wokenTime = 30 * time.Second
)

// worked is called when there was something to do.
func (s *supervisor) worked() {
	s.memory.Work()
	s.active = time.Now()
	if s.toSleep == nil {
		s.toSleep = s.loop.After(sleepTime, s.sleepLater)
	}
}

// sleepLater has this process end when nothing has happened for long enough. What
// cannot end then is asked again when something has happened.
func (s *supervisor) sleepLater() {
	s.toSleep = nil
	patience := sleepTime
	if s.keeper.Woken {
		patience = wokenTime
	}
	if left := patience - time.Since(s.active); left > 0 {
		s.toSleep = s.loop.After(left, s.sleepLater)
		return
	}
	keys, ok := s.engine.Idle()
	if !ok || !s.idle() {
		return
	}
	if err := s.keeper.Sleep(append(keys, keeper.ListenerKey)); err != nil {
		s.warn(err.Error())
		return
	}
	s.asleep = true
	s.loop.Stop()
}

// idle tells whether all is written down, and nobody is waited for but the
// container.
func (s *supervisor) idle() bool {
	waits := s.state.Status == container.Running || s.state.Status == container.Paused
	asked := s.connections > 0 || s.state.StoppedByUser || len(s.execs) > 0 || s.still.paused || s.still.changing
	works := s.working > 0 || s.health.c != nil || !s.events.idle() || !s.logger.idle() || !s.first.quiet()
	return s.keeper.CanSleep() && waits && s.answer != nil && !asked && !works && !s.over && !s.failing
}

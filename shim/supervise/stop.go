package supervise

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// stop ends the container: by the signal that it wants, and by force when it
// takes too long. The answer comes when it has ended.
func (s *supervisor) stop(_ ttrpc.Peer, m *stopRequest, answer ttrpc.Answer) {
	sig, err := s.stopSignal(m.Signal)
	if err != nil {
		answer(nil, ttrpc.Errorf(ttrpc.InvalidArgument, "%v", err))
		return
	}
	timeout := time.Duration(m.Timeout) * time.Millisecond
	if m.Default {
		timeout = s.c.Config.StopAfter()
	}
	s.state.StoppedByUser, s.state.Stopping = true, true
	s.save()
	if s.restart != nil { // it does not run: it would be started again
		s.restart.Stop()
		s.restart = nil
		s.state.Status = container.Exited
		s.save()
		s.next(s.first.outputs[0].Exit - 1)
		answer(&protobuf.Empty{}, nil)
		return
	}
	if s.first.status != nil { // it has ended, and is being cleaned up
		answer(&protobuf.Empty{}, nil)
		return
	}
	s.first.waiting = append(s.first.waiting, waiter[uint32]{tell: func(uint32) {
		s.events.note("stop", nil)
		answer(&protobuf.Empty{}, nil)
	}})
	s.signal(sig)
	s.stopLater(timeout)
}

// stopLater ends the container by force if it has not ended by then; a negative
// time is for ever.
func (s *supervisor) stopLater(timeout time.Duration) {
	s.kill.Stop()
	if timeout >= 0 {
		s.kill = s.loop.After(timeout, func() { s.signal(unix.SIGKILL) })
	}
}

// signal sends a signal to the container's first process. One that is paused is
// let go on, so that it hears.
func (s *supervisor) signal(sig unix.Signal) {
	id := s.c.Config.ID
	s.events.note("kill", map[string]string{"signal": strconv.Itoa(int(sig))})
	s.engine.Kill(id, "", sig, false, func(error) {})
	s.moveAgain()
	if s.state.Status == container.Paused {
		s.engine.Resume(id, func(error) {})
	}
}

// stopSignal is what asks the container to end.
func (s *supervisor) stopSignal(asked uint32) (unix.Signal, error) {
	if asked != 0 {
		return unix.Signal(asked), nil
	}
	if s.c.Config.StopSignal == "" {
		return unix.SIGTERM, nil
	}
	return ParseSignal(s.c.Config.StopSignal)
}

// ParseSignal reads a signal's name, with SIG or without, or its number.
func ParseSignal(text string) (unix.Signal, error) {
	const first, last = 34, 64 // of the real-time signals, as the C library counts
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n <= last {
		return unix.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if sig := unix.SignalNum("SIG" + name); sig != 0 {
		return sig, nil
	}
	for _, end := range []struct {
		name string
		base int
	}{{"RTMIN", first}, {"RTMAX", last}} {
		rest, found := strings.CutPrefix(name, end.name)
		n, err := strconv.Atoi(rest)
		if rest == "" {
			n, err = 0, nil
		}
		if sig := end.base + n; found && err == nil && sig >= first && sig <= last {
			return unix.Signal(sig), nil
		}
	}
	return 0, fmt.Errorf("invalid signal: %s", text) // Compat(moby): its words
}

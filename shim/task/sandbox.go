package task

import (
	"errors"
	goruntime "runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/engine"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// sandbox is a pod whose containers this supervisor has. It has no process of
// its own: the supervisor stands for it, and its namespaces are made by who
// creates it.
type sandbox struct {
	sandboxRecord
	waiters []func(engine.Exit)
}

// The states of a sandbox.
// Compat(containerd): its CRI plugin reads the words.
const (
	sandboxReady    = "SANDBOX_READY"
	sandboxNotReady = "SANDBOX_NOTREADY"
)

// sandboxMethods are the sandbox service's.
var sandboxMethods = map[string]method{
	"CreateSandbox":   takes((*Service).createSandbox),
	"StartSandbox":    takes((*Service).startSandbox),
	"Platform":        takes((*Service).platform),
	"StopSandbox":     takes((*Service).stopSandbox),
	"WaitSandbox":     takes((*Service).waitSandbox),
	"SandboxStatus":   takes((*Service).sandboxStatus),
	"PingSandbox":     takes((*Service).pingSandbox),
	"ShutdownSandbox": takes((*Service).shutdownSandbox),
	"SandboxMetrics":  takes((*Service).sandboxMetrics),
}

func (s *Service) findSandbox(id string) (*sandbox, error) {
	if b := s.sandboxes[id]; b != nil {
		return b, nil
	}
	return nil, ttrpc.Errorf(ttrpc.NotFound, "sandbox %s: not found", id)
}

func (s *Service) createSandbox(m *api.CreateSandboxRequest, answer ttrpc.Answer) {
	if s.sandboxes[m.SandboxID] != nil {
		answer(nil, ttrpc.Errorf(ttrpc.AlreadyExists, "sandbox %s: already exists", m.SandboxID))
		return
	}
	b := &sandbox{sandboxRecord: sandboxRecord{ID: m.SandboxID, Created: time.Now()}}
	if err := s.note(b); err != nil {
		answer(nil, err)
		return
	}
	s.sandboxes[m.SandboxID] = b
	answer(&protobuf.Empty{}, nil)
}

func (s *Service) startSandbox(m *api.StartSandboxRequest, answer ttrpc.Answer) {
	b, err := s.findSandbox(m.SandboxID)
	switch {
	case err != nil:
		answer(nil, err)
		return
	case !b.Started.IsZero():
		answer(nil, ttrpc.Errorf(ttrpc.FailedPrecondition, "sandbox %s has been started: failed precondition", m.SandboxID))
		return
	}
	b.Started = time.Now()
	answer(&api.StartSandboxResponse{Pid: pid(), CreatedAt: protobuf.Stamp(b.Created)}, s.note(b))
}

func (s *Service) platform(_ *api.PlatformRequest, answer ttrpc.Answer) {
	answer(&api.PlatformResponse{Platform: &api.Platform{OS: "linux", Architecture: goruntime.GOARCH}}, nil)
}

// stopSandbox ends what the sandbox's containers run, all in this supervisor.
func (s *Service) stopSandbox(m *api.StopSandboxRequest, answer ttrpc.Answer) {
	b, err := s.findSandbox(m.SandboxID)
	if err != nil {
		answer(nil, err)
		return
	}
	s.Engine.KillAll(unix.SIGKILL, func() {
		answer(&protobuf.Empty{}, s.endSandbox(b))
	})
}

// endSandbox tells everybody that the sandbox has ended, after it is noted.
func (s *Service) endSandbox(b *sandbox) error {
	if b.Exited.IsZero() {
		b.Exited = time.Now()
	}
	err := s.note(b)
	for _, done := range b.waiters {
		done(engine.Exit{At: b.Exited})
	}
	b.waiters = nil
	return err
}

func (s *Service) waitSandbox(m *api.WaitSandboxRequest, answer ttrpc.Answer) {
	b, err := s.findSandbox(m.SandboxID)
	if err != nil {
		answer(nil, err)
		return
	}
	done := func(x engine.Exit) {
		answer(&api.WaitSandboxResponse{ExitStatus: x.Status, ExitedAt: protobuf.Stamp(x.At)}, nil)
	}
	if !b.Exited.IsZero() {
		done(engine.Exit{At: b.Exited})
		return
	}
	b.waiters = append(b.waiters, done)
}

func (s *Service) sandboxStatus(m *api.SandboxStatusRequest, answer ttrpc.Answer) {
	b, err := s.findSandbox(m.SandboxID)
	if err != nil {
		answer(nil, err)
		return
	}
	state := sandboxNotReady
	if !b.Started.IsZero() && b.Exited.IsZero() {
		state = sandboxReady
	}
	answer(&api.SandboxStatusResponse{
		SandboxID: m.SandboxID, Pid: pid(), State: state,
		CreatedAt: protobuf.Stamp(b.Created), ExitedAt: protobuf.Stamp(b.Exited),
	}, nil)
}

func (s *Service) pingSandbox(m *api.PingRequest, answer ttrpc.Answer) {
	_, err := s.findSandbox(m.SandboxID)
	answer(&protobuf.Empty{}, err)
}

func (s *Service) shutdownSandbox(m *api.ShutdownSandboxRequest, answer ttrpc.Answer) {
	b, err := s.findSandbox(m.SandboxID)
	if err != nil {
		answer(nil, err)
		return
	}
	err = s.endSandbox(b)
	delete(s.sandboxes, m.SandboxID)
	answer(&protobuf.Empty{}, errors.Join(err, s.forget(b)))
	if s.Idle() {
		s.Shutdown()
	}
}

// sandboxMetrics has none: what a sandbox uses its containers do.
func (s *Service) sandboxMetrics(m *api.SandboxMetricsRequest, answer ttrpc.Answer) {
	_, err := s.findSandbox(m.SandboxID)
	answer(&api.SandboxMetricsResponse{Metrics: &api.Metric{Timestamp: protobuf.Stamp(time.Now()), ID: m.SandboxID}}, err)
}

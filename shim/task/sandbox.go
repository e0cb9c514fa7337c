package task

import (
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
	created, started time.Time
	exit             engine.Exit
	waiters          []func(engine.Exit)
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
	if s.sandboxes == nil {
		s.sandboxes = map[string]*sandbox{}
	}
	s.sandboxes[m.SandboxID] = &sandbox{created: time.Now()}
	answer(&protobuf.Empty{}, nil)
}

func (s *Service) startSandbox(m *api.StartSandboxRequest, answer ttrpc.Answer) {
	b, err := s.findSandbox(m.SandboxID)
	switch {
	case err != nil:
		answer(nil, err)
		return
	case !b.started.IsZero():
		answer(nil, ttrpc.Errorf(ttrpc.FailedPrecondition, "sandbox %s has been started: failed precondition", m.SandboxID))
		return
	}
	b.started = time.Now()
	answer(&api.StartSandboxResponse{Pid: pid(), CreatedAt: protobuf.Stamp(b.created)}, nil)
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
		b.stop()
		answer(&protobuf.Empty{}, nil)
	})
}

func (b *sandbox) stop() {
	if b.exit.At.IsZero() {
		b.exit = engine.Exit{At: time.Now()}
	}
	for _, done := range b.waiters {
		done(b.exit)
	}
	b.waiters = nil
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
	if !b.exit.At.IsZero() {
		done(b.exit)
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
	if !b.started.IsZero() && b.exit.At.IsZero() {
		state = sandboxReady
	}
	answer(&api.SandboxStatusResponse{
		SandboxID: m.SandboxID, Pid: pid(), State: state,
		CreatedAt: protobuf.Stamp(b.created), ExitedAt: protobuf.Stamp(b.exit.At),
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
	b.stop()
	delete(s.sandboxes, m.SandboxID)
	answer(&protobuf.Empty{}, nil)
	if s.Engine.Tasks() == 0 && len(s.sandboxes) == 0 {
		s.Shutdown()
	}
}

// sandboxMetrics has none: what a sandbox uses its containers do.
func (s *Service) sandboxMetrics(m *api.SandboxMetricsRequest, answer ttrpc.Answer) {
	_, err := s.findSandbox(m.SandboxID)
	answer(&api.SandboxMetricsResponse{Metrics: &api.Metric{Timestamp: protobuf.Stamp(time.Now()), ID: m.SandboxID}}, err)
}

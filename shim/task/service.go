package task

import (
	"errors"
	"os"

	"github.com/davit-containers/davit/shim/engine"
	"github.com/davit-containers/davit/shim/keeper"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// Service answers containerd's calls. It belongs to the engine's loop. Sandboxes
// are there after Recover.
type Service struct {
	Engine   *engine.Engine
	Shutdown func() // is called when nothing is left, and nothing will come

	// Keeper holds the record of sandboxes; nil for none.
	Keeper *keeper.Keeper

	sandboxes map[string]*sandbox
	record    *os.File
}

// Idle tells whether there is nothing that the supervisor is there for.
func (s *Service) Idle() bool { return s.Engine.Tasks() == 0 && len(s.sandboxes) == 0 }

// The services' names.
const (
	taskV2         = "containerd.task.v2.Task"
	taskV3         = "containerd.task.v3.Task"
	sandboxService = "containerd.runtime.sandbox.v1.Sandbox"
)

// method answers a call whose payload it decodes.
type method func(s *Service, r *ttrpc.Request, answer ttrpc.Answer)

// message is a T that decodes itself.
type message[T any] interface {
	*T
	protobuf.Message
}

// takes is a method that takes a message.
func takes[T any, P message[T]](call func(s *Service, m *T, answer ttrpc.Answer)) method {
	return takesTraced[T, P](func(s *Service, m *T, _ engine.Trace, answer ttrpc.Answer) { call(s, m, answer) })
}

// takesTraced is one that also takes the trace that the call is part of.
func takesTraced[T any, P message[T]](call func(s *Service, m *T, trace engine.Trace, answer ttrpc.Answer)) method {
	return func(s *Service, r *ttrpc.Request, answer ttrpc.Answer) {
		m := new(T)
		if err := protobuf.Unmarshal(r.Payload, P(m)); err != nil {
			answer(nil, ttrpc.Errorf(ttrpc.InvalidArgument, "%v", err))
			return
		}
		call(s, m, traceOf(r.Metadata), answer)
	}
}

// Handle answers a call.
func (s *Service) Handle(r *ttrpc.Request, answer ttrpc.Answer) {
	methods := taskMethods
	switch r.Service {
	case taskV2, taskV3:
	case sandboxService:
		methods = sandboxMethods
	default:
		answer(nil, ttrpc.Errorf(ttrpc.Unimplemented, "service %s: not implemented", r.Service))
		return
	}
	call := methods[r.Method]
	if call == nil {
		answer(nil, ttrpc.Errorf(ttrpc.Unimplemented, "method %s of %s: not implemented", r.Method, r.Service))
		return
	}
	call(s, r, func(m protobuf.Message, err error) { answer(m, status(err)) })
}

// questions are the methods that change nothing.
var questions = map[string]bool{
	"State": true, "Pids": true, "Wait": true, "Stats": true, "Connect": true,
	"Platform": true, "WaitSandbox": true, "SandboxStatus": true, "PingSandbox": true, "SandboxMetrics": true,
}

// Asks tells whether a call changes nothing, and may come often.
func Asks(r *ttrpc.Request) bool { return questions[r.Method] }

// repeatable are the questions that are asked again when the supervisor was killed
// before it answered: those that cannot be what ended it.
var repeatable = map[string]bool{
	"State": true, "Wait": true, "Connect": true,
	"Platform": true, "WaitSandbox": true, "SandboxStatus": true, "PingSandbox": true,
}

// Repeatable tells whether a call may be made a second time after a kill.
func Repeatable(r *ttrpc.Request) bool { return repeatable[r.Method] }

// codes are the refusals' kinds on the wire.
var codes = map[engine.Kind]ttrpc.Code{
	engine.NotFound: ttrpc.NotFound, engine.AlreadyExists: ttrpc.AlreadyExists,
	engine.FailedPrecondition: ttrpc.FailedPrecondition, engine.InvalidArgument: ttrpc.InvalidArgument,
	engine.Unimplemented: ttrpc.Unimplemented,
}

// status is an error as it goes over the wire.
func status(err error) error {
	var refusal *engine.Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		return ttrpc.Errorf(codes[refusal.Kind], "%s", err.Error())
	}
	return err
}

// empty answers without a message.
func empty(answer ttrpc.Answer) func(error) {
	return func(err error) { answer(&protobuf.Empty{}, err) }
}

// pid is this process's.
func pid() uint32 { return uint32(os.Getpid()) }

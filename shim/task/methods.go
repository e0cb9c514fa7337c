package task

import (
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/libcontainer/spec"
	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/engine"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// taskMethods are the task service's.
var taskMethods = map[string]method{
	"State":      takes((*Service).state),
	"Create":     takesTraced((*Service).create),
	"Start":      takesTraced((*Service).start),
	"Delete":     takesTraced((*Service).delete),
	"Pids":       takes((*Service).pids),
	"Pause":      takes((*Service).pause),
	"Resume":     takes((*Service).resume),
	"Checkpoint": takes((*Service).checkpoint),
	"Kill":       takes((*Service).kill),
	"Exec":       takes((*Service).exec),
	"ResizePty":  takes((*Service).resize),
	"CloseIO":    takes((*Service).closeIO),
	"Update":     takes((*Service).update),
	"Wait":       takes((*Service).wait),
	"Stats":      takes((*Service).stats),
	"Connect":    takes((*Service).connect),
	"Shutdown":   takes((*Service).shutdown),
}

func (s *Service) create(m *api.CreateTaskRequest, trace engine.Trace, answer ttrpc.Answer) {
	options, err := ParseOptions(m.Options)
	if err != nil {
		answer(nil, ttrpc.Errorf(ttrpc.InvalidArgument, "%v", err))
		return
	}
	c := &engine.Create{
		ID: m.ID, Bundle: m.Bundle, Checkpoint: m.Checkpoint, Options: options, Trace: trace,
		Streams: engine.Streams{Terminal: m.Terminal, Stdin: m.Stdin, Stdout: m.Stdout, Stderr: m.Stderr},
	}
	for _, r := range m.Rootfs {
		c.Rootfs = append(c.Rootfs, engine.Mount(r))
	}
	s.Engine.Create(c, func(pid int, err error) {
		answer(&api.CreateTaskResponse{Pid: uint32(pid)}, err)
	})
}

func (s *Service) start(m *api.StartRequest, trace engine.Trace, answer ttrpc.Answer) {
	s.Engine.StartTraced(m.ID, m.ExecID, trace, func(pid int, err error) {
		answer(&api.StartResponse{Pid: uint32(pid)}, err)
	})
}

func (s *Service) delete(m *api.DeleteRequest, trace engine.Trace, answer ttrpc.Answer) {
	s.Engine.DeleteTraced(m.ID, m.ExecID, trace, func(pid int, x engine.Exit, err error) {
		answer(&api.DeleteResponse{Pid: uint32(pid), ExitStatus: x.Status, ExitedAt: protobuf.Stamp(x.At)}, err)
	})
}

func (s *Service) exec(m *api.ExecProcessRequest, answer ttrpc.Answer) {
	if m.Spec == nil {
		answer(nil, ttrpc.Errorf(ttrpc.InvalidArgument, "a process without a specification: invalid argument"))
		return
	}
	streams := engine.Streams{Terminal: m.Terminal, Stdin: m.Stdin, Stdout: m.Stdout, Stderr: m.Stderr}
	s.Engine.AddExec(m.ID, m.ExecID, streams, m.Spec.Value, empty(answer))
}

func (s *Service) kill(m *api.KillRequest, answer ttrpc.Answer) {
	s.Engine.Kill(m.ID, m.ExecID, unix.Signal(m.Signal), m.All, empty(answer))
}

func (s *Service) pause(m *api.PauseRequest, answer ttrpc.Answer) {
	s.Engine.Pause(m.ID, empty(answer))
}

func (s *Service) resume(m *api.ResumeRequest, answer ttrpc.Answer) {
	s.Engine.Resume(m.ID, empty(answer))
}

func (s *Service) checkpoint(m *api.CheckpointTaskRequest, answer ttrpc.Answer) {
	o := engine.CheckpointOptions{Image: m.Path}
	if m.Options != nil {
		c := api.CheckpointOptions{}
		if err := protobuf.Unmarshal(m.Options.Value, &c); err != nil {
			answer(nil, ttrpc.Errorf(ttrpc.InvalidArgument, "%v", err))
			return
		}
		o = engine.CheckpointOptions{
			Image: m.Path, Work: c.WorkPath, Parent: c.ParentPath, Exit: c.Exit, TCP: c.OpenTCP,
			ExtUnixSockets: c.ExternalUnixSockets, Terminal: c.Terminal, FileLocks: c.FileLocks,
			CgroupsMode: c.CgroupsMode, EmptyNamespaces: c.EmptyNamespaces,
		}
	}
	s.Engine.Checkpoint(m.ID, o, empty(answer))
}

func (s *Service) update(m *api.UpdateTaskRequest, answer ttrpc.Answer) {
	if m.Resources == nil {
		answer(nil, ttrpc.Errorf(ttrpc.InvalidArgument, "an update without resources: invalid argument"))
		return
	}
	r, err := spec.DecodeResources(m.Resources.Value)
	if err != nil {
		answer(nil, ttrpc.Errorf(ttrpc.InvalidArgument, "%v: invalid argument", err))
		return
	}
	s.Engine.Update(m.ID, r, empty(answer))
}

func (s *Service) resize(m *api.ResizePtyRequest, answer ttrpc.Answer) {
	s.Engine.Resize(m.ID, m.ExecID, m.Width, m.Height, empty(answer))
}

func (s *Service) closeIO(m *api.CloseIORequest, answer ttrpc.Answer) {
	if !m.Stdin {
		answer(&protobuf.Empty{}, nil)
		return
	}
	s.Engine.CloseInput(m.ID, m.ExecID, empty(answer))
}

func (s *Service) wait(m *api.WaitRequest, answer ttrpc.Answer) {
	s.Engine.Wait(m.ID, m.ExecID, func(x engine.Exit, err error) {
		answer(&api.WaitResponse{ExitStatus: x.Status, ExitedAt: protobuf.Stamp(x.At)}, err)
	})
}

// statuses are the engine's words on the wire.
var statuses = map[string]api.Status{
	"created": api.Created, "running": api.Running, "paused": api.Paused, "pausing": api.Pausing, "stopped": api.Stopped,
}

func (s *Service) state(m *api.StateRequest, answer ttrpc.Answer) {
	i, err := s.Engine.State(m.ID, m.ExecID)
	if err != nil {
		answer(nil, err)
		return
	}
	id := m.ID
	if m.ExecID != "" {
		id = m.ExecID
	}
	answer(&api.StateResponse{
		ID: id, Bundle: i.Bundle, Pid: uint32(i.Pid), Status: statuses[i.Status],
		Stdin: i.Streams.Stdin, Stdout: i.Streams.Stdout, Stderr: i.Streams.Stderr, Terminal: i.Streams.Terminal,
		ExitStatus: i.Exit.Status, ExitedAt: protobuf.Stamp(i.Exit.At), ExecID: m.ExecID,
	}, nil)
}

func (s *Service) pids(m *api.PidsRequest, answer ttrpc.Answer) {
	s.Engine.Pids(m.ID, func(list []engine.Process, err error) {
		out := &api.PidsResponse{}
		for _, p := range list {
			info := api.ProcessInfo{Pid: uint32(p.Pid)}
			if p.Exec != "" {
				info.Info = protobuf.Pack(api.ProcessDetailsName, &api.ProcessDetails{ExecID: p.Exec})
			}
			out.Processes = append(out.Processes, info)
		}
		answer(out, err)
	})
}

func (s *Service) stats(m *api.StatsRequest, answer ttrpc.Answer) {
	s.Engine.Stats(m.ID, func(stats *libcontainer.Stats, err error) {
		if err != nil {
			answer(nil, err)
			return
		}
		answer(&api.StatsResponse{Stats: metrics(stats)}, nil)
	})
}

func (s *Service) connect(m *api.ConnectRequest, answer ttrpc.Answer) {
	out := &api.ConnectResponse{ShimPid: pid()}
	if i, err := s.Engine.State(m.ID, ""); err == nil {
		out.TaskPid = uint32(i.Pid)
	}
	answer(out, nil)
}

// shutdown ends the supervisor, unless it has tasks or sandboxes.
func (s *Service) shutdown(_ *api.ShutdownRequest, answer ttrpc.Answer) {
	answer(&protobuf.Empty{}, nil)
	if s.Idle() {
		s.Shutdown()
	}
}

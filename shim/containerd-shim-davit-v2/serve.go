package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/engine"
	"github.com/davit-containers/davit/shim/internal/rest"
	"github.com/davit-containers/davit/shim/keeper"
	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/task"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// claimTime is how long a supervisor lives that has neither tasks, sandboxes nor anybody
// who talks to it.
const claimTime = 60 * time.Second

// supervisor is a shim while it serves.
type supervisor struct {
	call      *call
	loop      *loop.Loop
	log       *log
	keeper    *keeper.Keeper
	server    *ttrpc.Server
	engine    *engine.Engine
	service   *task.Service
	publisher *task.Publisher
	socket    string // the path
	claim     *loop.Timer
	memory    *rest.Memory

	debugSocket *os.File
}

// serve supervises until nothing is left.
func (c *call) serve() error {
	s := &supervisor{call: c, log: openLog(c.debug, c.id)}
	err := s.begin()
	if err == nil {
		err = s.loop.Run()
	}
	if err != nil {
		s.log.write("error", err.Error())
	}
	return err
}

func (s *supervisor) begin() (err error) {
	if s.keeper, err = keeper.Meet(); err != nil {
		return err
	}
	if s.keeper.Starts > 0 {
		s.log.write("warning", fmt.Sprintf("the supervisor has been started again, for the %d. time", s.keeper.Starts))
	}
	if s.loop, err = loop.New(); err != nil {
		return err
	}
	s.memory = rest.New(s.loop, func(message string) { s.log.write("warning", message) })
	s.publisher = &task.Publisher{
		Loop: s.loop, Address: os.Getenv("TTRPC_ADDRESS"), Namespace: s.call.namespace, Log: s.log.write,
		Keeper: s.keeper,
	}
	if err := s.publisher.Recover(); err != nil {
		return err
	}
	s.engine, err = engine.New(engine.Config{
		Namespace: s.call.namespace, Loop: s.loop, Keeper: s.keeper, Publish: s.publish, Log: s.log.write,
	})
	if err != nil {
		return err
	}
	s.service = &task.Service{Engine: s.engine, Shutdown: s.shutdown, Keeper: s.keeper}
	if err := s.service.Recover(); err != nil {
		return err
	}
	s.server = &ttrpc.Server{
		Loop: s.loop, Handle: s.handle, Change: s.claimed, Keeper: s.keeper, Repeatable: task.Repeatable,
	}
	listener := s.keeper.Kept[keeper.ListenerKey]
	if listener == nil {
		return fmt.Errorf("the keeper has no socket")
	}
	if s.socket, err = socketName(listener); err != nil {
		return err
	}
	if err := s.serveDebug(); err != nil {
		return err
	}
	s.claimed(0)
	return s.server.Serve(listener)
}

// publish tells containerd what has happened. What happens takes memory.
func (s *supervisor) publish(e engine.Event) {
	s.memory.Work()
	s.publisher.Publish(e)
}

// handle answers a call. What only asks takes little memory, and is asked often.
func (s *supervisor) handle(r *ttrpc.Request, answer ttrpc.Answer) {
	if !task.Asks(r) {
		s.memory.Work()
	}
	s.service.Handle(r, answer)
}

func socketName(listener *os.File) (string, error) {
	name, err := unix.Getsockname(int(listener.Fd()))
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	u, ok := name.(*unix.SockaddrUnix)
	if !ok || !strings.HasPrefix(u.Name, "/") {
		return "", fmt.Errorf("the socket has no path")
	}
	return u.Name, nil
}

// claimed is told how many talk to the supervisor. Left alone, without tasks,
// it ends by itself: whoever started it has died.
func (s *supervisor) claimed(connections int) {
	s.claim.Stop()
	if connections > 0 {
		return
	}
	s.claim = s.loop.After(claimTime, func() {
		if !s.service.Idle() {
			s.claimed(0)
			return
		}
		s.log.write("warning", fmt.Sprintf("nobody has asked for anything for %v: the supervisor ends", claimTime))
		s.shutdown()
	})
}

// shutdown ends the supervisor when all has been told. Its socket goes first,
// under the lock that start takes: who wants the group then gets another
// supervisor.
func (s *supervisor) shutdown() {
	s.publisher.WhenIdle(func() {
		if !s.service.Idle() {
			return
		}
		lock, err := lockSockets(dirOf(s.socket))
		if err == nil {
			os.Remove(s.socket)
			os.Remove(s.socket + exitsSuffix)
			os.Remove(s.socket + debugSuffix)
			lock.Close()
		}
		s.loop.Stop()
	})
}

func dirOf(path string) string { return path[:strings.LastIndexByte(path, '/')] }

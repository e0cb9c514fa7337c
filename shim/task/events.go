package task

import (
	"time"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/engine"
	"github.com/davit-containers/davit/shim/keeper"
	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// Publisher tells containerd what has happened, one event after the other. An
// event is told until it has arrived: containerd may be restarted meanwhile, and the
// supervisor killed. One may be told twice.
type Publisher struct {
	Loop      *loop.Loop
	Address   string // of containerd's ttrpc socket
	Namespace string
	Log       func(level, message string)

	Keeper *keeper.Keeper // holds what is to be told; nil for none

	spool  *spool
	client *ttrpc.Client
	queue  []*api.ForwardRequest
	busy   bool
	fails  int
	idle   []func() // called when nothing is left to tell
}

// The service that takes events.
const (
	eventsService = "containerd.services.events.ttrpc.v1.Events"
	forwardMethod = "Forward"
)

// How many events wait at most, how long until the next try, and how often it
// is tried before an event is given up, where others wait.
const (
	maxQueue  = 4096
	retryStep = time.Second
	maxDelay  = 10 * time.Second
)

// Recover goes on with what another supervisor left to be told.
func (p *Publisher) Recover() (err error) {
	if p.Address == "" {
		return nil
	}
	p.spool, p.queue, err = openSpool(p.Keeper)
	if err == nil {
		p.next()
	}
	return err
}

// Publish tells an event after those before it.
func (p *Publisher) Publish(e engine.Event) {
	if p.Address == "" {
		return
	}
	topic, event := translate(&e)
	if len(p.queue) >= maxQueue {
		p.Log("error", "containerd takes no events: "+p.queue[0].Envelope.Topic+" is not told")
		p.done()
	}
	r := &api.ForwardRequest{Envelope: &api.Envelope{
		Timestamp: protobuf.Stamp(time.Now()), Namespace: p.Namespace, Topic: topic, Event: event,
	}}
	if err := p.spool.add(r); err != nil {
		p.Log("error", err.Error())
	}
	p.queue = append(p.queue, r)
	p.next()
}

// done takes the first event off the queue.
func (p *Publisher) done() {
	p.queue = p.queue[1:]
	if err := p.spool.told(); err != nil {
		p.Log("error", "keeping events: "+err.Error())
	}
}

// WhenIdle calls f when there is nothing left to tell.
func (p *Publisher) WhenIdle(f func()) {
	p.idle = append(p.idle, f)
	p.next()
}

// next tells the first event, unless it is being told.
func (p *Publisher) next() {
	if p.busy {
		return
	}
	if len(p.queue) == 0 {
		idle := p.idle
		p.idle = nil
		for _, f := range idle {
			f()
		}
		return
	}
	p.busy = true
	if p.client == nil && !p.dial() {
		p.again()
		return
	}
	first := p.queue[0]
	p.client.Call(eventsService, forwardMethod, first, func(_ []byte, err error) {
		if err != nil {
			p.Log("warning", "telling containerd of "+first.Envelope.Topic+": "+err.Error())
			p.again()
			return
		}
		p.busy, p.fails = false, 0
		if len(p.queue) > 0 && p.queue[0] == first {
			p.done()
		}
		p.next()
	})
}

func (p *Publisher) dial() bool {
	client, err := ttrpc.Dial(p.Loop, p.Address, func(error) { p.client = nil })
	if err != nil {
		p.Log("warning", "telling containerd of events: "+err.Error())
		return false
	}
	p.client = client
	return true
}

// again tries it later.
func (p *Publisher) again() {
	p.fails++
	p.Loop.After(min(time.Duration(p.fails)*retryStep, maxDelay), func() {
		p.busy = false
		p.next()
	})
}

// translate gives an event's topic and message.
func translate(e *engine.Event) (topic string, event *protobuf.Any) {
	id, pid, at := e.Task, uint32(e.Pid), protobuf.Stamp(e.Exit.At)
	name := e.Exec
	if name == "" {
		name = id
	}
	pack := func(topic, message string, m protobuf.Message) (string, *protobuf.Any) {
		return "/tasks/" + topic, protobuf.Pack("containerd.events."+message, m)
	}
	switch e.Kind {
	case engine.Created:
		return pack("create", "TaskCreate", createEvent(e))
	case engine.Started:
		return pack("start", "TaskStart", &api.TaskStart{ContainerID: id, Pid: pid})
	case engine.Exited:
		return pack("exit", "TaskExit", &api.TaskExit{ContainerID: id, ID: name, Pid: pid, ExitStatus: e.Exit.Status, ExitedAt: at})
	case engine.Deleted:
		return pack("delete", "TaskDelete", &api.TaskDelete{ContainerID: id, Pid: pid, ExitStatus: e.Exit.Status, ExitedAt: at})
	case engine.ExecAdded:
		return pack("exec-added", "TaskExecAdded", &api.TaskExecAdded{ContainerID: id, ExecID: e.Exec})
	case engine.ExecStarted:
		return pack("exec-started", "TaskExecStarted", &api.TaskExecStarted{ContainerID: id, ExecID: e.Exec, Pid: pid})
	case engine.OutOfMemory:
		return pack("oom", "TaskOOM", &api.TaskOOM{ContainerID: id})
	case engine.Paused:
		return pack("paused", "TaskPaused", &api.TaskPaused{ContainerID: id})
	case engine.Resumed:
		return pack("resumed", "TaskResumed", &api.TaskResumed{ContainerID: id})
	}
	return pack("checkpointed", "TaskCheckpointed", &api.TaskCheckpointed{ContainerID: id, Checkpoint: e.Checkpoint})
}

func createEvent(e *engine.Event) *api.TaskCreate {
	c := e.Create
	m := &api.TaskCreate{
		ContainerID: c.ID, Bundle: c.Bundle, Checkpoint: c.Checkpoint, Pid: uint32(e.Pid),
		IO: &api.TaskIO{Stdin: c.Streams.Stdin, Stdout: c.Streams.Stdout, Stderr: c.Streams.Stderr, Terminal: c.Streams.Terminal},
	}
	for _, r := range c.Rootfs {
		m.Rootfs = append(m.Rootfs, api.Mount(r))
	}
	return m
}

package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/engine"
	"github.com/davit-containers/davit/shim/internal/rest"
	"github.com/davit-containers/davit/shim/keeper"
	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/stdio"
	"github.com/davit-containers/davit/shim/task"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// Host is what is done for a container that is not this package's business. Each
// may be nil, may take time, and may be done again after it was killed.
type Host struct {
	// Prepare is before the container is created: its root file system is there
	// when it returns.
	Prepare func(context.Context, *container.Container) error
	// Attach gives the container its network, after it was created and before its
	// program runs; pid is its first process. Detach takes it away.
	Attach func(ctx context.Context, c *container.Container, pid int) error
	Detach func(context.Context, *container.Container) error
	// Remove removes the container, which was to be removed when it ends.
	Remove func(context.Context, *container.Container) error
}

// supervisor is the supervisor of one container.
type supervisor struct {
	host   Host
	c      *container.Container
	state  container.State
	loop   *loop.Loop
	keeper *keeper.Keeper
	engine *engine.Engine
	tasks  *task.Service
	server *ttrpc.Server
	events *notes
	health *health

	first  *process
	still  still
	execs  map[string]*process
	logger *logger
	peers  map[ttrpc.Peer]map[*process]string // the names under which a client reads
	locked *os.File
	// connections is how many clients there are.
	connections int

	ready    []waiter[*readyReply] // who waits for the start
	answer   *readyReply           // of the first start
	starting time.Time             // when the program was about to be started
	backoff  time.Duration
	failing  bool // what was created is given up
	restart  *loop.Timer
	kill     *loop.Timer        // what becomes of one that does not stop
	late     func()             // goes on when nobody is waited for any more; see hold
	over     bool               // the container has ended for good, and all is cleaned up
	ends     []waiter[struct{}] // who waits for that
	memory   *rest.Memory
	active   time.Time // when there was work last
	toSleep  *loop.Timer
	asleep   bool // this process is to end
	working  int  // how much is being done in goroutines
}

// Serve is the supervisor of the container in a directory. It returns when the
// container has ended and is not to be started again. awaited says that a client
// is going to read the output from its beginning.
//
// Errors: ErrAsleep, after which the process is to end, with a status that is not 0.
func Serve(dir string, awaited bool, host Host) error {
	c, err := container.OpenDir(dir)
	if errors.Is(err, container.ErrNotExist) {
		return nil // it was removed, by the supervisor before this one
	}
	if err != nil {
		return err
	}
	s := &supervisor{host: host, c: c, execs: map[string]*process{}, peers: map[ttrpc.Peer]map[*process]string{}}
	if err := s.begin(awaited); err != nil {
		s.log("error", err.Error())
		return s.giveUp(err)
	}
	if err := s.loop.Run(); err != nil {
		return err
	}
	if s.asleep {
		return ErrAsleep
	}
	return nil
}

// giveUp is after a beginning that failed, before there was a container: whoever
// waits for it reads why, and no other supervisor is started. An error has the keeper
// start another.
func (s *supervisor) giveUp(cause error) error {
	if s.locked == nil || s.keeper.Starts > 0 {
		return cause
	}
	s.state.Error, s.state.ExitCode = cause.Error(), otherFailure
	s.save()
	s.unlock() // before anybody can see that the socket is gone
	for key := range s.keeper.Kept {
		s.keeper.Drop(key)
	}
	for _, key := range []string{"own..out0", "own..out1"} {
		s.keeper.Drop(key)
	}
	return nil
}

func (s *supervisor) begin(awaited bool) (err error) {
	s.starting = time.Now().UTC()
	if s.keeper, err = keeper.Meet(); err != nil {
		return err
	}
	if s.loop, err = loop.New(); err != nil {
		return err
	}
	s.memory = rest.New(s.loop, s.warn)
	if s.locked = s.keeper.Kept[keeper.LockKey]; s.locked == nil {
		s.loop.Stop() // all was done, but for telling a client; others may be removing it
		return nil
	}
	if s.keeper.Starts > 0 && !s.keeper.Woken {
		s.log("warning", "the supervisor has been started again")
	}
	if err := container.Begin(s.locked); err != nil {
		return err
	}
	s.state, err = s.c.State()
	if errors.Is(err, container.ErrNotExist) && s.keeper.Starts > 0 {
		return s.removeOn()
	}
	if err != nil {
		return err
	}
	if s.keeper.Starts == 0 {
		s.state.StoppedByUser, s.state.Stopping, s.state.RestartCount = false, false, 0
	}
	s.events = &notes{loop: s.loop, c: s.c, warn: s.warn, then: s.leave}
	if err := s.streams(awaited); err != nil {
		return err
	}
	return s.serve()
}

// removeOn is after a supervisor that was killed while it removed the container. Whoever
// asks is told that it has gone.
func (s *supervisor) removeOn() error {
	s.unlock()
	if err := s.step(s.host.Remove)(); err != nil {
		s.log("error", err.Error())
	}
	s.loop.Stop()
	return nil
}

// serve goes on with the container, and begins to answer clients.
func (s *supervisor) serve() (err error) {
	s.health = s.withHealth()
	s.engine, err = engine.New(engine.Config{
		Loop: s.loop, Keeper: s.keeper, Log: s.log, Own: s.own, Abandoned: func(string) { s.launch() },
		Publish: s.publish,
	})
	if err != nil {
		return err
	}
	s.tasks = &task.Service{Engine: s.engine, Shutdown: func() {}}
	s.server = &ttrpc.Server{Loop: s.loop, Handle: s.handle, Gone: s.gone, Change: s.changed}
	if err := s.server.Serve(s.keeper.Kept[keeper.ListenerKey]); err != nil {
		return err
	}
	s.goOn()
	return nil
}

// publish hears the engine, in its midst: only what is asked for, and answered next, is
// noted at once.
func (s *supervisor) publish(e engine.Event) {
	if e.Kind == engine.Paused || e.Kind == engine.Resumed {
		s.happened(&e)
		return
	}
	s.loop.Post(func() { s.happened(&e) })
}

// unlock gives way to another supervisor.
func (s *supervisor) unlock() {
	s.unmark()
	s.keeper.Drop(keeper.LockKey)
	container.Unsupervise(s.locked) // at once: the keeper takes its time
}

// streams makes those of the container, and its log, or goes on with them; and
// with those of further processes.
func (s *supervisor) streams(awaited bool) (err error) {
	if s.first, err = newProcess(s.loop, s.keeper, "", true, false, awaited); err != nil {
		return err
	}
	s.first.idle = s.leave
	for key := range s.keeper.Kept {
		id, found := strings.CutPrefix(key, "own.")
		id, out := strings.CutSuffix(id, ".out0")
		if !found || !out || id == "" {
			continue
		}
		if s.execs[id], err = newProcess(s.loop, s.keeper, id, true, false, false); err != nil {
			return err
		}
	}
	config, err := logConfig(s.c)
	if err != nil {
		return err
	}
	if s.logger, err = newLogger(s.loop, config, s.first.outputs, s.warn); err != nil {
		return err
	}
	for i, o := range s.first.outputs {
		o.moved = func() { s.logger.take(stream(i)); s.first.answer(); s.worked() }
		o.again = s.again("")
	}
	for id, p := range s.execs {
		s.wire(id, p)
	}
	return nil
}

// again has the engine go on to move a process's output.
func (s *supervisor) again(exec string) func() {
	return func() {
		if s.engine != nil {
			s.engine.Again(s.c.Config.ID, exec)
		}
	}
}

// own gives the engine a process's streams.
func (s *supervisor) own(_, exec string) *stdio.Own {
	p := s.first
	if exec != "" {
		p = s.execs[exec]
	}
	if p == nil { // one that nobody reads
		return &stdio.Own{}
	}
	return p.own()
}

// logFile is where a supervisor says what went wrong, and how long that may get.
const (
	logFile    = "supervisor.log"
	maxLogFile = 64 << 10
)

// log notes what concerns nobody in particular.
func (s *supervisor) log(level, message string) {
	path := filepath.Join(s.c.Dir(), logFile)
	if info, err := os.Lstat(path); err == nil && info.Size() > maxLogFile {
		os.Remove(path)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "%s %s: %s\n", time.Now().UTC().Format(time.RFC3339Nano), level, strings.Join(strings.Fields(message), " "))
}

func (s *supervisor) warn(message string) { s.log("warning", message) }

// work does what takes time in a goroutine, and then goes on in the loop's.
func (s *supervisor) work(do func() error, then func(error)) {
	s.working++
	go func() {
		err := do()
		s.loop.Post(func() {
			s.working--
			then(err)
		})
	}()
}

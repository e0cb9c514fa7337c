package engine

import (
	"os"
	"strconv"

	"github.com/davit-containers/davit/shim/keeper"
	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/stdio"
)

// Config is what an engine works with.
type Config struct {
	Namespace string // containers of two namespaces may have one id
	Loop      *loop.Loop
	Keeper    *keeper.Keeper              // nil for none: then nothing outlives the process
	Publish   func(Event)                 // is told what happens, in order
	Log       func(level, message string) // level is one of logrus's
	// Own gives the streams of a process whose other ends are in this program, in
	// place of those that have names; nil, or a nil result, is for names.
	Own func(task, exec string) *stdio.Own
	// Abandoned is told that nothing is left of a container whose creation was
	// interrupted by the end of another supervisor; may be nil.
	Abandoned func(task string)
}

// Engine supervises tasks: containers with their processes. Its methods belong
// to the loop's goroutine. Each calls done, once, now or later.
type Engine struct {
	Config
	tasks   map[string]*task
	number  int              // of the last process
	working int              // how much is being done in goroutines
	strange map[int]*process // by pid: those whose end only the keeper can tell
	early   map[int]keeper.Exit
}

// New makes an engine, which goes on with what an earlier one of this keeper's
// left.
func New(c Config) (*Engine, error) {
	e := &Engine{Config: c, tasks: map[string]*task{}, strange: map[int]*process{}, early: map[int]keeper.Exit{}}
	if c.Keeper == nil {
		return e, nil
	}
	if err := e.recover(); err != nil {
		return nil, err
	}
	return e, c.Keeper.Listen(c.Loop, e.orphanEnded, func() {
		c.Log("error", "the keeper has ended: this supervisor cannot be replaced any more")
	})
}

// Tasks is how many there are.
func (e *Engine) Tasks() int { return len(e.tasks) }

// work does what takes time in a goroutine, and then goes on in the loop's.
func (e *Engine) work(do, then func()) {
	e.working++
	go func() {
		do()
		e.Loop.Post(func() {
			e.working--
			then()
		})
	}()
}

func (e *Engine) warn(message string) { e.Log("warning", message) }

// keep has the keeper hold files of a process, by their names.
func (e *Engine) keep(number int, files map[string]*os.File) {
	for name, f := range files {
		if err := e.Keeper.Keep(key(number, name), f); err != nil {
			e.warn(err.Error())
			return
		}
	}
}

func (e *Engine) drop(number int, names []string) {
	for _, name := range names {
		e.Keeper.Drop(key(number, name))
	}
}

// key is a file's in the keeper.
func key(number int, name string) string { return strconv.Itoa(number) + "." + name }

// journalKey is the name of a journal's file.
const journalKey = "journal"

func (e *Engine) next() int {
	e.number++
	return e.number
}

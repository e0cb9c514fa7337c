package supervise

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/keeper"
	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/stdio"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// process is what clients see of one: the container's first, or a further one.
type process struct {
	id      string // "" for the first
	loop    *loop.Loop
	keeper  *keeper.Keeper
	outputs [2]*output
	source  *os.File // of the input, for the process
	input   *os.File // to it, for clients; nil for none, or none any more
	writing *loop.Watch
	toWrite []*inputCall
	pending []*outputCall
	status  *uint32 // how it ended
	waiting []waiter[uint32]
	idle    func() // is called when a client has left, or has everything
}

// newProcess makes what a process writes to and reads from, or goes on with it.
// awaited says that a client is going to read the output from its beginning.
func newProcess(l *loop.Loop, k *keeper.Keeper, id string, outputs, input, awaited bool) (*process, error) {
	p := &process{id: id, loop: l, keeper: k, idle: func() {}}
	for i := range p.outputs {
		key := p.key(fmt.Sprintf("out%d", i))
		kept := k.Kept[key]
		if kept == nil && !outputs {
			continue
		}
		o, err := newOutput(l, kept)
		if err != nil {
			return nil, err
		}
		o.moved = p.answer
		if kept != nil {
			o.comeBack()
		}
		p.outputs[i] = o
		if kept == nil && awaited {
			o.read(awaitedReader, 0) // which is known before anybody knows the file
		}
		if kept == nil {
			if err := k.Keep(key, o.file); err != nil {
				return nil, err
			}
		}
	}
	if p.input = k.Kept[p.key("in")]; p.input == nil && input {
		return p, p.openInput()
	}
	return p, nil
}

// key is the name of one of the process's files in the keeper.
func (p *process) key(name string) string { return "own." + p.id + "." + name }

// openInput makes the pipe through which clients' input goes.
func (p *process) openInput() error {
	p.closeInput()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	p.source, p.input = os.NewFile(uintptr(fds[0]), "input"), os.NewFile(uintptr(fds[1]), "input")
	return p.keeper.Keep(p.key("in"), p.input)
}

// own are the process's streams for the engine.
func (p *process) own() *stdio.Own {
	own := &stdio.Own{Source: p.source}
	for i, o := range p.outputs {
		if o != nil {
			own.Spools[i] = o.spool()
		}
	}
	return own
}

// started is called when the process has its streams.
func (p *process) started() {
	if p.source != nil {
		p.source.Close()
		p.source = nil
	}
}

// closeInput ends the input, of which the process reads what is in the pipe.
func (p *process) closeInput() {
	p.writing.Stop()
	p.writing = nil
	for _, f := range []**os.File{&p.source, &p.input} {
		if *f != nil {
			(*f).Close()
			*f = nil
		}
	}
	p.keeper.Drop(p.key("in"))
	calls := p.toWrite
	p.toWrite = nil
	for _, c := range calls {
		c.done(nil)
	}
}

// endOutputs says that nothing will be written any more.
func (p *process) endOutputs() {
	for _, o := range p.outputs {
		if o != nil {
			o.ended = true
		}
	}
	p.answer()
}

// exited tells everybody how the process ended.
func (p *process) exited(status uint32) {
	p.status = &status
	waiting := p.waiting
	p.waiting = nil
	for _, w := range waiting {
		w.tell(status)
	}
}

// readers tells whether anybody reads, or is going to.
func (p *process) readers() bool {
	for _, o := range p.outputs {
		if o != nil && len(o.readers) > 0 {
			return true
		}
	}
	return false
}

// quiet tells whether there is nothing to be moved, and nobody to move it for.
func (p *process) quiet() bool {
	for _, o := range p.outputs {
		if o != nil && (len(o.readers) > 0 || o.returning > 0 || o.full != nil) {
			return false
		}
	}
	return len(p.pending) == 0 && len(p.toWrite) == 0 && len(p.waiting) == 0
}

// forget drops the calls of a connection that has ended.
func (p *process) forget(peer ttrpc.Peer) {
	p.pending = slices.DeleteFunc(p.pending, func(c *outputCall) bool { return c.peer == peer })
	p.waiting = without(p.waiting, peer)
}

// waiter is told something, for a client; nil where it is for the supervisor itself.
type waiter[T any] struct {
	peer ttrpc.Peer
	tell func(T)
}

// without are those who wait but for a client that has gone.
// CVE-2022-23471: clients that had given up stayed for as long as the container ran.
func without[T any](waiting []waiter[T], peer ttrpc.Peer) []waiter[T] {
	return slices.DeleteFunc(waiting, func(w waiter[T]) bool { return w.peer == peer })
}

// claimed says that the client is there that was awaited.
func (p *process) claimed() {
	for _, o := range p.outputs {
		if o != nil && o.returning == 0 {
			o.leave(awaitedReader)
		}
	}
	p.idle()
}

// awaits tells whether a client is awaited.
func (p *process) awaits() bool {
	for _, o := range p.outputs {
		if o != nil {
			if _, awaited := o.readers[awaitedReader]; awaited {
				return true
			}
		}
	}
	return false
}

// unawait waits for nobody any more.
func (p *process) unawait() {
	for _, o := range p.outputs {
		if o != nil {
			o.returning = 0
		}
	}
	p.leave(awaitedReader)
}

// leave forgets a client.
func (p *process) leave(reader string) {
	for _, o := range p.outputs {
		if o != nil {
			o.leave(reader)
		}
	}
	p.idle()
}

// close gives everything back.
func (p *process) close() {
	p.closeInput()
	for i, o := range p.outputs {
		if o != nil {
			o.close()
			p.keeper.Drop(p.key(fmt.Sprintf("out%d", i)))
		}
	}
	for _, c := range p.pending {
		c.done(nil, errors.New("the process has been removed"))
	}
}

// newID is one for a further process, or a client.
func newID() string { return rand.Text()[:16] }

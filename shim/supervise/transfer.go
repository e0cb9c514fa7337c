package supervise

import (
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// outputCall is a client's that waits for output.
type outputCall struct {
	peer    ttrpc.Peer
	request *outputRequest
	done    func(*outputReply, error)
}

// output answers a client when there is something at its positions.
func (p *process) output(c *outputCall) {
	for i, o := range p.outputs {
		if o == nil {
			continue
		}
		if c.request.At[i] == fromNow {
			c.request.At[i] = o.size
		}
		o.read(c.request.Reader, c.request.At[i])
	}
	if !p.tell(c) {
		p.pending = append(p.pending, c)
	}
	p.idle()
}

// answer answers those who wait, as far as there is something.
func (p *process) answer() {
	waiting := p.pending
	p.pending = nil
	for _, c := range waiting {
		if !p.tell(c) {
			p.pending = append(p.pending, c)
		}
	}
}

// tell answers, or tells that there is nothing to be told.
func (p *process) tell(c *outputCall) bool {
	reply, any, ended := &outputReply{}, false, true
	for i, o := range p.outputs {
		reply.Ended[i] = true
		if o == nil {
			continue
		}
		reply.At[i], reply.Data[i] = o.at(c.request.At[i])
		reply.Ended[i] = o.over(reply.At[i] + position(len(reply.Data[i])))
		any = any || len(reply.Data[i]) > 0
		ended = ended && reply.Ended[i]
	}
	if !any && !ended {
		return false
	}
	if o := p.outputs[0]; ended && o != nil {
		reply.Exit = o.Exit
	}
	c.done(reply, nil)
	return true
}

// inputCall is a client's that waits for its input to be taken.
type inputCall struct {
	data []byte
	end  bool
	done func(error)
}

// take writes a client's input when there is room, after what came before it.
// Input for a process that reads none is dropped.
func (p *process) take(c *inputCall) {
	if p.input == nil {
		c.done(nil)
		return
	}
	p.toWrite = append(p.toWrite, c)
	if len(p.toWrite) == 1 {
		p.write()
	}
}

func (p *process) write() {
	for len(p.toWrite) > 0 && p.input != nil {
		c := p.toWrite[0]
		if len(c.data) > 0 {
			n, err := p.writeSome(c.data)
			switch {
			case err == unix.EAGAIN:
				p.awaitRoom()
				return
			case err == unix.EINTR:
			case err != nil:
				p.closeInput()
				return
			}
			c.data = c.data[max(n, 0):]
			continue
		}
		p.toWrite = p.toWrite[1:]
		c.done(nil)
		if c.end {
			p.closeInput()
		}
	}
	p.writing.Stop()
}

func (p *process) writeSome(data []byte) (int, error) {
	fd := int(p.input.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		return 0, err
	}
	return unix.Write(fd, data)
}

func (p *process) awaitRoom() {
	var err error
	if p.writing != nil {
		err = p.writing.Set(loop.Writable)
	} else {
		p.writing, err = p.loop.Watch(int(p.input.Fd()), loop.Writable, func(uint32) { p.write() })
	}
	if err != nil {
		p.closeInput()
	}
}

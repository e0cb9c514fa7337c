package stdio

import (
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/loop"
)

// pump moves what comes from one descriptor to another, until its end.
type pump struct {
	loop *loop.Loop
	src  *os.File
	dst  *os.File
	end  func() // is called once, when nothing will come any more
	// room tells how much may be moved now, in bytes, and wrote hears that
	// something was; nil for any, and for nobody.
	room  func() int64
	wrote func()

	in, out  *loop.Watch
	size     int    // of a piece, in bytes
	terminal bool   // the source is one
	appends  bool   // the sink is a file
	copying  bool   // splice(2) does not do for these two
	carry    []byte // was read and not yet written, when copying
	moved    int64  // bytes
	finished bool
}

// What is moved in one go, so that no stream holds up the others, and the size
// of the pieces, in bytes. A terminal has no more than a page to give, and
// splice(2) first allocates pages for all that it is asked for.
const (
	pieces    = 16
	pieceSize = 64 << 10
	pageSize  = 4 << 10
)

// start begins to move. The descriptors become non-blocking.
func (p *pump) start() error {
	p.size, p.terminal = pieceSize, isTerminal(p.src)
	if p.terminal {
		p.size = pageSize
	}
	for _, f := range []*os.File{p.src, p.dst} {
		if err := unix.SetNonblock(int(f.Fd()), true); err != nil {
			return err
		}
	}
	p.appends = isFile(p.dst)
	return p.awaitSource()
}

// awaitSource waits until there is something to move. What cannot be waited
// for, a regular file, is always ready.
func (p *pump) awaitSource() error {
	p.out.Stop()
	if p.in != nil {
		return p.in.Set(loop.Readable)
	}
	var err error
	p.in, err = p.loop.Watch(int(p.src.Fd()), loop.Readable, func(uint32) { p.move() })
	if err == nil || !isFile(p.src) {
		return err
	}
	p.in = nil
	p.loop.Post(p.move)
	return nil
}

// awaitSink waits until there is room. The source is not waited for meanwhile:
// it would say again and again that it is ready.
func (p *pump) awaitSink() {
	p.in.Stop()
	var err error
	if p.out != nil {
		err = p.out.Set(loop.Writable)
	} else {
		p.out, err = p.loop.Watch(int(p.dst.Fd()), loop.Writable, func(uint32) { p.move() })
	}
	if err != nil {
		p.finish()
	}
}

// waits tells whether there is nothing to move, and nothing that has been read.
func (p *pump) waits() bool {
	return p.in != nil && p.in.Waits(loop.Readable) && len(p.carry) == 0
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// isFile tells whether it is a regular file, which cannot be waited for.
func isFile(f *os.File) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
}

// move moves what it can, and decides what to wait for: after some, for more,
// since which of the two is at its end costs a call to find out.
func (p *pump) move() {
	if p.finished {
		return
	}
	before := p.moved
	next := p.pieces(before)
	if p.wrote != nil && p.moved != before {
		p.wrote()
	}
	if !p.finished {
		next()
	}
}

// pieces moves some, and tells what is to be done next.
func (p *pump) pieces(before int64) (next func()) {
	for range pieces {
		size := p.allowed()
		if size == 0 {
			return p.in.Stop // until somebody says that there is room again
		}
		n, err := p.piece(size)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN && p.waitsForSink(before):
			return p.awaitSink
		case err == unix.EAGAIN:
			return p.again
		case err == unix.EINVAL && !p.copying:
			p.copying = true
		case err != nil || n == 0:
			return p.finish
		}
		p.moved += int64(max(n, 0))
		if p.terminal && n < p.size {
			return p.again // that was all, or as much as it gives in one go
		}
	}
	return p.again
}

// allowed is how much the next piece may have.
func (p *pump) allowed() int {
	if p.room == nil {
		return p.size
	}
	return int(max(0, min(int64(p.size), p.room())))
}

// again waits for the source, unless there is no hope of that.
func (p *pump) again() {
	if p.awaitSource() != nil {
		p.finish()
	}
}

// piece moves a piece. What goes to a file is appended to it, also when somebody
// has made that shorter meanwhile: the place is sought anew each time.
func (p *pump) piece(size int) (int, error) {
	if p.appends {
		if _, err := unix.Seek(int(p.dst.Fd()), 0, io.SeekEnd); err != nil {
			return 0, err
		}
	}
	if p.copying {
		return p.copyPiece(size)
	}
	n, err := unix.Splice(int(p.src.Fd()), nil, int(p.dst.Fd()), nil, size, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	return int(n), err
}

// copyPiece reads, and writes what was read.
func (p *pump) copyPiece(size int) (int, error) {
	if len(p.carry) == 0 {
		var buf [pageSize]byte
		n, err := unix.Read(int(p.src.Fd()), buf[:min(size, pageSize)])
		if n <= 0 {
			return n, err
		}
		return p.write(buf[:n])
	}
	return p.write(p.carry)
}

// write writes, and carries what was not taken.
func (p *pump) write(data []byte) (int, error) {
	n, err := unix.Write(int(p.dst.Fd()), data)
	p.carry = slices.Clone(data[max(n, 0):])
	return n, err
}

// waitsForSink tells whether there is no room, after EAGAIN.
func (p *pump) waitsForSink(before int64) bool {
	return len(p.carry) > 0 || p.moved == before && p.sinkFull()
}

// sinkFull tells whether it is the sink that EAGAIN was for.
func (p *pump) sinkFull() bool {
	set := []unix.PollFd{{Fd: int32(p.dst.Fd()), Events: unix.POLLOUT}}
	n, err := unix.Poll(set, 0)
	return err == nil && (n == 0 || set[0].Revents&unix.POLLOUT == 0 && set[0].Revents&(unix.POLLERR|unix.POLLNVAL) == 0)
}

// waiting is how much is there to be moved, in bytes.
func (p *pump) waiting() int64 {
	if p.finished {
		return 0
	}
	n, err := unix.IoctlGetInt(int(p.src.Fd()), unix.TIOCINQ)
	if err != nil {
		n = 0
	}
	return int64(n) + int64(len(p.carry))
}

// finish ends the moving, and tells.
func (p *pump) finish() {
	if p.finished {
		return
	}
	p.stop()
	p.end()
}

// stop ends the moving.
func (p *pump) stop() {
	p.finished = true
	p.in.Stop()
	p.out.Stop()
}

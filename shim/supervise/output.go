package supervise

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/stdio"
)

// The bounds of what is held of an output for those who have not read it, in
// bytes; how much is told at once; and for how long a client that reads nothing
// may hold up the container.
const (
	window   = 1 << 20
	pageful  = 64 << 10
	patience = 10 * time.Second
)

// output is what a process writes to one stream: a file in memory, from which is
// given back what everybody has read. It begins with a page for a header, which
// is there for a supervisor that comes after one that was killed.
type output struct {
	file *os.File
	loop *loop.Loop
	header
	size  position // of all that was moved to it
	ended bool
	log   *logger // which must have what is given back; nil for no log

	readers map[string]position
	moved   func() // is called when there is more, or the end
	again   func() // is called when there is room again
	full    *loop.Timer
	// returning is how many readers are awaited after a kill.
	returning int64
}

// headerSize is where the data begins, in bytes.
const headerSize = 4096

// newOutput makes an output, or goes on with the file of one.
func newOutput(l *loop.Loop, kept *os.File) (*output, error) {
	o := &output{loop: l, file: kept, readers: map[string]position{}}
	if kept == nil {
		file, err := memory("output")
		if err != nil {
			return nil, err
		}
		if err := file.Truncate(headerSize); err != nil {
			return nil, fmt.Errorf("making room for output: %w", err)
		}
		o.file = file
	}
	if err := o.header.read(o.file); err != nil {
		return nil, err
	}
	// The end is where the next byte goes, also after a kill.
	if _, err := o.file.Seek(0, io.SeekEnd); err != nil {
		return nil, fmt.Errorf("looking for output: %w", err)
	}
	return o, o.measure()
}

// memory is a file in memory.
func memory(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // Linux 6.3: MFD_NOEXEC_SEAL
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// spool is where the process's pipe is emptied to.
func (o *output) spool() *stdio.Spool {
	return &stdio.Spool{File: o.file, Room: o.room, Moved: func() {
		if o.measure() == nil {
			o.moved()
		}
	}}
}

func (o *output) measure() error {
	info, err := o.file.Stat()
	if err != nil {
		return fmt.Errorf("looking for output: %w", err)
	}
	o.size = position(info.Size()) - headerSize
	return nil
}

// room is how much may be moved: none while the slowest reader is too far behind,
// for as long as it may be.
func (o *output) room() int64 {
	room := window - int64(o.size-o.slowest())
	if room <= 0 && o.full == nil {
		o.full = o.loop.After(patience, o.giveUp)
	}
	return max(room, 0)
}

// slowest is how far everybody has read.
func (o *output) slowest() position {
	at := o.size
	if o.log != nil {
		at = o.Logged
	}
	for _, p := range o.readers {
		at = min(at, p)
	}
	return at
}

// giveUp goes on without the readers that have read nothing for so long.
func (o *output) giveUp() {
	o.full = nil
	for name, p := range o.readers {
		if o.size-p >= window {
			o.readers[name] = o.size
		}
	}
	o.free()
}

// read notes that a reader has everything up to a position.
func (o *output) read(reader string, at position) {
	before, known := o.readers[reader]
	o.readers[reader] = max(at, o.Freed, before)
	if !known {
		o.count()
	}
	o.free()
}

// leave forgets a reader.
func (o *output) leave(reader string) {
	if _, known := o.readers[reader]; known {
		delete(o.readers, reader)
		o.count()
		o.free()
	}
}

// count notes how many readers there are.
func (o *output) count() {
	if o.returning > 0 && len(o.readers) > int(o.returning) {
		o.returning = 0
		delete(o.readers, awaitedReader)
	}
	if o.returning == 0 {
		o.Readers = int64(len(o.readers))
		o.header.write(o.file)
	}
}

// comeBack waits for those who read when a supervisor was killed, for a while.
func (o *output) comeBack() {
	if o.Readers == 0 {
		return
	}
	o.returning = o.Readers
	o.readers[awaitedReader] = o.Freed
	o.loop.After(patience, func() {
		if o.returning > 0 {
			o.returning = 0
			o.leave(awaitedReader)
		}
	})
}

// free gives back what everybody has read, in large pieces, or all.
func (o *output) free() {
	at := o.slowest()
	if at-o.Freed < pageful && at < o.size || at == o.Freed {
		return
	}
	const mode = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	if unix.Fallocate(int(o.file.Fd()), mode, int64(headerSize+o.Freed), int64(at-o.Freed)) != nil {
		return
	}
	o.Freed = at
	o.header.write(o.file)
	if o.full != nil && o.size-at < window {
		o.full.Stop()
		o.full = nil
	}
	if o.again != nil {
		o.again()
	}
}

// at reads what is held from a position on, in one piece of bounded size. The
// position that it returns is later where something is not held any more.
func (o *output) at(p position) (position, []byte) {
	p = max(p, o.Freed)
	buf := make([]byte, max(0, min(pageful, o.size-p)))
	n, _ := o.file.ReadAt(buf, int64(headerSize+p))
	return p, buf[:n]
}

// over tells whether nothing follows a position.
func (o *output) over(p position) bool { return o.ended && p >= o.size }

// close gives everything back.
func (o *output) close() {
	o.full.Stop()
	o.file.Close()
}

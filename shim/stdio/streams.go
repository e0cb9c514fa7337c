package stdio

import (
	"fmt"
	"net/url"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/loop"
)

// Streams are the standard streams of one process. Open may block; everything
// after it belongs to the loop.
type Streams struct {
	// Child is what the process is given where it has no terminal; the caller
	// closes it with CloseChild when the process has it.
	Child [3]*os.File

	place  Place
	loop   *loop.Loop
	source *os.File    // of the input
	keep   *os.File    // keeps the input open
	input  *os.File    // where the input goes
	output [2]*os.File // where the outputs come from
	sinks  [2]*os.File
	master *os.File
	logger *logger

	stdin  *pump
	pumps  [2]*pump
	exited time.Time
	own    [2]int64 // how much each pump must have moved for what the process itself wrote
	ending func(lost int64)
	bound  *loop.Timer
	seen   int64
	quiet  time.Duration
	closed func(names []string) // is told which files have been closed
}

// Open opens all that the place names, and starts the logging program.
func Open(place Place) (*Streams, error) {
	s := &Streams{place: place}
	if err := s.open(); err != nil {
		s.CloseChild()
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Streams) open() (err error) {
	if s.place.Own != nil {
		return s.openOwn()
	}
	targets, err := s.place.outputs()
	if err != nil {
		return err
	}
	if s.place.Stdin != "" {
		if s.source, s.keep, err = openSource(s.place.Stdin); err != nil {
			return err
		}
	}
	if isLogger(targets[0]) {
		if s.logger, err = startLogger(targets[0], &s.place); err != nil {
			return err
		}
	}
	if s.place.Terminal {
		return s.openTerminal(targets[0])
	}
	if err := s.openInput(); err != nil {
		return err
	}
	for i := range targets {
		if err := s.openOutput(i, targets[i]); err != nil {
			return err
		}
	}
	return nil
}

// openTerminal opens where a terminal's output goes.
func (s *Streams) openTerminal(target *url.URL) (err error) {
	switch {
	case s.logger != nil:
		s.sinks[0] = s.logger.take(0)
		s.logger.closeEnds()
	case target != nil:
		s.sinks[0], err = openSink(target)
	default:
		s.sinks[0], err = openRaw(os.DevNull, os.O_WRONLY, 0)
	}
	return err
}

func (s *Streams) openInput() (err error) {
	if s.source == nil {
		s.Child[0], err = openRaw(os.DevNull, os.O_RDONLY, 0)
		return err
	}
	s.Child[0], s.input, err = pipe(s.place.UID, s.place.GID)
	return err
}

func (s *Streams) openOutput(i int, target *url.URL) (err error) {
	switch {
	case target == nil:
		s.Child[1+i], err = openRaw(os.DevNull, os.O_WRONLY, 0)
	case isLogger(target) && s.logger != nil:
		s.Child[1+i] = s.logger.take(i)
	case isLogger(target):
		return fmt.Errorf("opening the streams: a logging program for stderr alone")
	default:
		if s.sinks[i], err = openSink(target); err == nil {
			s.output[i], s.Child[1+i], err = pipe(s.place.UID, s.place.GID)
		}
	}
	return err
}

// CloseChild closes what the process has been given.
func (s *Streams) CloseChild() {
	closeAll(s.Child[:]...)
	s.Child = [3]*os.File{}
}

// SetMaster takes the terminal over. It is called before Start, by anyone.
func (s *Streams) SetMaster(master *os.File) error {
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	s.master = master
	s.output[0] = os.NewFile(uintptr(fd), "terminal")
	if s.source == nil {
		return nil
	}
	if fd, err = unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0); err == nil {
		s.input = os.NewFile(uintptr(fd), "terminal")
	}
	return err
}

// Start begins to move. closed is told the names of files that have been
// closed because a stream has ended.
func (s *Streams) Start(l *loop.Loop, closed func(names []string)) error {
	s.loop, s.closed = l, closed
	for i := range s.pumps {
		if s.output[i] == nil {
			continue
		}
		if spool := s.spool(i); spool != nil && s.sinks[i] == nil { // it was not kept in time
			var err error
			if s.sinks[i], err = duplicate(spool.File); err != nil {
				return fmt.Errorf("copying the streams: %w", err)
			}
		}
		s.pumps[i] = &pump{loop: l, src: s.output[i], dst: s.sinks[i], end: func() { s.ended(i) }}
		if spool := s.spool(i); spool != nil {
			s.pumps[i].room, s.pumps[i].wrote = spool.Room, spool.Moved
		}
		if err := s.pumps[i].start(); err != nil {
			return fmt.Errorf("copying the streams: %w", err)
		}
	}
	if s.source == nil || s.input == nil {
		return nil
	}
	s.stdin = &pump{loop: l, src: s.source, dst: s.input, end: s.endInput}
	if err := s.stdin.start(); err != nil {
		return fmt.Errorf("copying the streams: %w", err)
	}
	return nil
}

// Resize changes the terminal's size; without one it does nothing.
func (s *Streams) Resize(width, height uint32) error {
	if s.master == nil {
		return nil
	}
	size := &unix.Winsize{Row: uint16(height), Col: uint16(width)}
	if err := unix.IoctlSetWinsize(int(s.master.Fd()), unix.TIOCSWINSZ, size); err != nil {
		return fmt.Errorf("resizing the terminal: %w", err)
	}
	return nil
}

// CloseInput lets the input end when its last writer goes.
func (s *Streams) CloseInput() {
	closeAll(s.keep)
	s.keep = nil
	s.closed([]string{nameKeep})
}

func (s *Streams) endInput() {
	closeAll(s.source, s.keep, s.input)
	s.source, s.keep, s.input = nil, nil, nil
	s.closed([]string{nameSource, nameKeep, nameInput})
}

// ended is called when an output has been read to its end.
func (s *Streams) ended(i int) {
	closeAll(s.output[i], s.sinks[i])
	s.output[i], s.sinks[i] = nil, nil
	s.closed([][]string{{nameOutput0, nameSink0}, {nameOutput1, nameSink1}}[i])
	if s.ending != nil {
		s.check()
	}
}

// Close closes everything, whatever is still to be moved.
func (s *Streams) Close() {
	s.bound.Stop()
	if s.stdin != nil {
		s.stdin.stop()
	}
	for _, p := range s.pumps {
		if p != nil {
			p.stop()
		}
	}
	closeAll(s.source, s.keep, s.input, s.output[0], s.output[1], s.sinks[0], s.sinks[1], s.master)
	s.source, s.keep, s.input, s.master = nil, nil, nil, nil
	s.output, s.sinks = [2]*os.File{}, [2]*os.File{}
	if s.logger != nil {
		s.logger.closeEnds()
	}
}

// The names of a process's files, for whoever keeps them.
const (
	nameSource  = "source"
	nameKeep    = "keep"
	nameInput   = "input"
	nameOutput0 = "output0"
	nameOutput1 = "output1"
	nameSink0   = "sink0"
	nameSink1   = "sink1"
	nameMaster  = "master"
)

func (s *Streams) files() map[string]**os.File {
	return map[string]**os.File{
		nameSource: &s.source, nameKeep: &s.keep, nameInput: &s.input, nameMaster: &s.master,
		nameOutput0: &s.output[0], nameOutput1: &s.output[1], nameSink0: &s.sinks[0], nameSink1: &s.sinks[1],
	}
}

// Files are what must be kept for the streams to be taken up again by another
// process, by name.
func (s *Streams) Files() map[string]*os.File {
	list := map[string]*os.File{}
	for name, f := range s.files() {
		if *f != nil {
			list[name] = *f
		}
	}
	return list
}

// Names are all that Files may have.
func (*Streams) Names() []string {
	return []string{nameSource, nameKeep, nameInput, nameOutput0, nameOutput1, nameSink0, nameSink1, nameMaster}
}

// Resume takes streams up with the files that were kept.
func Resume(place Place, files map[string]*os.File) *Streams {
	s := &Streams{place: place}
	for name, f := range s.files() {
		*f = files[name]
	}
	return s
}

package stdio

import (
	"os"

	"golang.org/x/sys/unix"
)

// Own are streams whose other ends are in this process. What Streams needs of
// them it duplicates.
type Own struct {
	Source *os.File  // the pipe that the input comes from; nil for no input
	Spools [2]*Spool // where the outputs go, a terminal's to the first; nil is the null device
}

// Spool is a file that an output is moved to, such as one in memory: by
// splice(2), at the file's own position, so that it is always known what was
// moved, whoever is killed when.
type Spool struct {
	File  *os.File
	Room  func() int64 // how much may be moved now, in bytes; when that was 0, Again is to be called later
	Moved func()       // is called when something was moved
}

// openOwn opens the owner's streams.
func (s *Streams) openOwn() (err error) {
	own := s.place.Own
	if own.Source != nil {
		if s.source, err = duplicate(own.Source); err != nil {
			return err
		}
	}
	if s.place.Terminal {
		return s.openOwnTerminal()
	}
	for i, spool := range own.Spools {
		if spool == nil {
			continue
		}
		if s.sinks[i], err = duplicate(spool.File); err != nil {
			return err
		}
	}
	if err := s.openInput(); err != nil {
		return err
	}
	for i := range s.sinks {
		if s.sinks[i] == nil {
			s.Child[1+i], err = openRaw(os.DevNull, os.O_WRONLY, 0)
		} else {
			s.output[i], s.Child[1+i], err = pipe(s.place.UID, s.place.GID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// openOwnTerminal has a terminal's output go through a pipe to the spool, in the
// place of the second output: splice(2) has a pipe at one end.
func (s *Streams) openOwnTerminal() (err error) {
	spool := s.place.Own.Spools[0]
	if spool == nil {
		s.sinks[0], err = openRaw(os.DevNull, os.O_WRONLY, 0)
		return err
	}
	if s.output[1], s.sinks[0], err = pipe(0, 0); err != nil {
		return err
	}
	s.sinks[1], err = duplicate(spool.File)
	return err
}

// spool is where an output goes; nil where that is a name.
func (s *Streams) spool(i int) *Spool {
	switch {
	case s.place.Own == nil, s.place.Terminal && i == 0:
		return nil
	case s.place.Terminal:
		return s.place.Own.Spools[0]
	}
	return s.place.Own.Spools[i]
}

// Again says that spools may have room again.
func (s *Streams) Again() {
	for _, p := range s.pumps {
		if p != nil && !p.finished {
			p.again()
		}
	}
}

// Waiting are the names of the files that there will be something to move from;
// ok is false while there is something to move, or to wait for that is not there.
func (s *Streams) Waiting() (names []string, ok bool) {
	for i, p := range []*pump{s.pumps[0], s.pumps[1], s.stdin} {
		if p == nil || p.finished {
			continue
		}
		if !p.waits() {
			return nil, false
		}
		names = append(names, []string{nameOutput0, nameOutput1, nameSource}[i])
	}
	return names, s.ending == nil && s.logger == nil
}

// Ended tells whether an output has been moved to its end.
func (s *Streams) Ended(i int) bool { return s.pumps[i] == nil || s.pumps[i].finished }

func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return rawFile(fd, f.Name()), nil
}

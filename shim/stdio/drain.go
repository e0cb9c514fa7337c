package stdio

import "time"

// The bounds of what is moved after a process's end. What the process itself
// wrote is moved as long as anybody takes it; what is written by others that
// have its streams is moved for a while.
const (
	// Grace is how long others may go on to write.
	Grace = 2 * time.Second
	// Patience is how long nobody may take anything, until it is lost.
	Patience = 10 * time.Second
)

// Exited says that the process has ended.
func (s *Streams) Exited() {
	if !s.exited.IsZero() {
		return
	}
	s.exited = time.Now()
	if s.stdin != nil {
		s.stdin.finish()
	}
	for i, p := range s.pumps {
		if p != nil {
			s.own[i] = p.moved + p.waiting()
		}
	}
	if s.place.Terminal && s.pumps[0] != nil { // what is in the terminal comes through the second too
		s.own[1] += s.pumps[0].waiting()
	}
}

// Finish closes the streams when their outputs have been moved, and calls done
// with the number of bytes that nobody took. Whoever still has the process's
// streams then writes into nothing.
func (s *Streams) Finish(done func(lost int64)) {
	s.Exited()
	s.ending = done
	s.check()
}

// check ends it, or waits for more.
func (s *Streams) check() {
	s.bound.Stop()
	if s.idle() || s.past() {
		s.end()
		return
	}
	step := max(Grace-time.Since(s.exited), Grace/4)
	s.bound = s.loop.After(step, func() {
		s.quiet += step
		if moved := s.moved(); moved != s.seen {
			s.seen, s.quiet = moved, 0
		}
		s.check()
	})
}

// idle tells whether every output has ended.
func (s *Streams) idle() bool {
	for _, p := range s.pumps {
		if p != nil && !p.finished {
			return false
		}
	}
	return true
}

// past tells whether it has been enough: the process's own bytes are through
// and others had their time, or nobody takes anything.
func (s *Streams) past() bool {
	if s.quiet >= Patience {
		return true
	}
	if time.Since(s.exited) < Grace {
		return false
	}
	for i, p := range s.pumps {
		if p != nil && !p.finished && p.moved < s.own[i] {
			return false
		}
	}
	return true
}

func (s *Streams) moved() (n int64) {
	for _, p := range s.pumps {
		if p != nil {
			n += p.moved
		}
	}
	return n
}

func (s *Streams) end() {
	var lost int64
	for i, p := range s.pumps {
		if p != nil && !p.finished && p.moved < s.own[i] {
			lost += s.own[i] - p.moved
		}
	}
	done := s.ending
	s.ending = nil
	s.Close()
	if s.logger == nil {
		done(lost)
		return
	}
	logger := s.logger
	s.logger = nil
	logger.end(s.loop, func() { done(lost) })
}

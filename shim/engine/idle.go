package engine

// Idle are the keys in the keeper from which there will be something to read
// when there is something to do; ok is false while there is something to do, or to
// wait for that the keeper does not hear of.
func (e *Engine) Idle() (keys []string, ok bool) {
	if e.working > 0 || len(e.strange) > 0 {
		return nil, false
	}
	for _, t := range e.tasks {
		more, ok := t.idle()
		if !ok {
			return nil, false
		}
		keys = append(keys, more...)
	}
	return keys, true
}

// idle is Idle of one container. Where others' processes are orphans, too,
// each of their ends would end the sleep.
func (t *task) idle() (keys []string, ok bool) {
	p := t.init
	if p.state != running && p.state != paused || p.ended || p.io == nil || len(p.queue) > 0 || len(p.waiters) > 0 || len(t.execs) > 0 || !t.private {
		return nil, false
	}
	names, ok := p.io.Waiting()
	for _, name := range names {
		keys = append(keys, key(p.number, name))
	}
	return keys, ok
}

package loop

import (
	"slices"
	"time"
)

// Timer is a call that is to come.
type Timer struct {
	loop *Loop
	at   time.Time
	call func()
}

// timers are sorted by time. There are few.
type timers []*Timer

// After has f called once, when the time has passed.
func (l *Loop) After(d time.Duration, f func()) *Timer {
	t := &Timer{loop: l, at: time.Now().Add(d), call: f}
	i, _ := slices.BinarySearchFunc(l.timers, t, func(a, b *Timer) int { return a.at.Compare(b.at) })
	l.timers = slices.Insert(l.timers, i, t)
	return t
}

// Stop takes the call back, if it has not been made. nil is fine.
func (t *Timer) Stop() {
	if t == nil {
		return
	}
	if i := slices.Index(t.loop.timers, t); i >= 0 {
		t.loop.timers = slices.Delete(t.loop.timers, i, i+1)
	}
}

// first is when the first is due; zero for never.
func (t timers) first() time.Time {
	if len(t) == 0 {
		return time.Time{}
	}
	return t[0].at
}

// fire calls those that are due.
func (t *timers) fire(now time.Time) {
	for len(*t) > 0 && !(*t)[0].at.After(now) {
		next := (*t)[0]
		*t = slices.Delete(*t, 0, 1)
		next.call()
	}
}

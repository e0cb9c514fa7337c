package loop

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The events of a descriptor, as in epoll_ctl(2).
const (
	Readable = unix.EPOLLIN
	Writable = unix.EPOLLOUT
	HungUp   = unix.EPOLLHUP
	Failed   = unix.EPOLLERR
)

// Loop is an epoll set and what is to be called. All methods but Post belong
// to the goroutine that calls Run, and to others before that.
type Loop struct {
	epoll   *os.File
	raw     syscall.RawConn
	wake    int
	watches map[int32]*Watch
	timers  timers
	stopped bool

	mu     sync.Mutex
	posted []func()
}

// Watch is a descriptor that is waited for. It does not own the descriptor.
type Watch struct {
	loop   *Loop
	fd     int
	call   func(events uint32)
	added  bool
	events uint32 // that are waited for, once added
}

// New makes a loop that waits for nothing yet.
func New() (*Loop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making an epoll set: %w", err)
	}
	// An epoll set can be waited for by Go's own, so that no thread sits in
	// a system call of ours.
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("making an epoll set: %w", err)
	}
	l := &Loop{epoll: os.NewFile(uintptr(fd), "epoll"), watches: map[int32]*Watch{}}
	if l.raw, err = l.epoll.SyscallConn(); err != nil {
		return nil, fmt.Errorf("making an epoll set: %w", err)
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("making an eventfd: %w", err)
	}
	_, err = l.Watch(l.wake, Readable, func(uint32) {
		var count [8]byte
		unix.Read(l.wake, count[:])
	})
	return l, err
}

// Watch begins to wait for events of a descriptor; none is fine, and HungUp
// and Failed are always waited for. The descriptor must not be closed before
// Stop.
func (l *Loop) Watch(fd int, events uint32, call func(events uint32)) (*Watch, error) {
	w := &Watch{loop: l, fd: fd, call: call}
	return w, w.Set(events)
}

// Set changes the events that are waited for.
func (w *Watch) Set(events uint32) error {
	if w.added && w.events == events {
		return nil
	}
	op := unix.EPOLL_CTL_MOD
	if !w.added {
		op = unix.EPOLL_CTL_ADD
	}
	err := unix.EpollCtl(w.fdOfSet(), op, w.fd, &unix.EpollEvent{Events: events, Fd: int32(w.fd)})
	if err != nil {
		return fmt.Errorf("waiting for descriptor %d: %w", w.fd, err)
	}
	w.added, w.events = true, events
	w.loop.watches[int32(w.fd)] = w
	return nil
}

// Waits tells whether events are waited for.
func (w *Watch) Waits(events uint32) bool { return w.added && w.events&events == events }

// Stop ends the wait. What has happened already is not told any more. It may
// be called twice.
func (w *Watch) Stop() {
	if w == nil || !w.added {
		return
	}
	w.added = false
	unix.EpollCtl(w.fdOfSet(), unix.EPOLL_CTL_DEL, w.fd, nil)
	delete(w.loop.watches, int32(w.fd))
}

func (w *Watch) fdOfSet() (fd int) {
	w.loop.raw.Control(func(f uintptr) { fd = int(f) })
	return fd
}

// Post has f called by the loop. Any goroutine may call it.
func (l *Loop) Post(f func()) {
	l.mu.Lock()
	l.posted = append(l.posted, f)
	first := len(l.posted) == 1
	l.mu.Unlock()
	if first {
		unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// Stop makes Run return.
func (l *Loop) Stop() { l.stopped = true }

// Run waits and calls until Stop.
func (l *Loop) Run() error {
	events := make([]unix.EpollEvent, 64)
	for !l.stopped {
		n, err := l.wait(events)
		if err != nil {
			return fmt.Errorf("waiting for events: %w", err)
		}
		for i := range events[:n] {
			// Calls before this one may have stopped a watch, and begun another of the
			// same number: then its call finds nothing, which every call must expect.
			if w := l.watches[events[i].Fd]; w != nil && !l.stopped {
				w.call(events[i].Events)
			}
		}
		l.timers.fire(time.Now())
		l.callPosted()
	}
	return nil
}

// wait waits for events, or until the first timer is due.
func (l *Loop) wait(events []unix.EpollEvent) (n int, err error) {
	if err := l.epoll.SetReadDeadline(l.timers.first()); err != nil {
		return 0, err
	}
	var callErr error
	err = l.raw.Read(func(fd uintptr) bool {
		n, callErr = unix.EpollWait(int(fd), events, 0)
		if callErr == unix.EINTR {
			n, callErr = 0, nil
		}
		return n > 0 || callErr != nil || l.due()
	})
	if os.IsTimeout(err) {
		err = nil
	}
	if err == nil {
		err = callErr
	}
	runtime.KeepAlive(l)
	return max(n, 0), err
}

// due tells whether there is something to do that is no event.
func (l *Loop) due() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.posted) > 0
}

func (l *Loop) callPosted() {
	l.mu.Lock()
	posted := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, f := range posted {
		f()
	}
}

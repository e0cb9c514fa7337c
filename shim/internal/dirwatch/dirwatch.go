// Package dirwatch tells when something changes in a directory: a file is
// written to, made, or moved there. It is for those who follow files that are
// replaced by newer ones.
//
// It does not say what has changed: whoever is told looks.
package dirwatch

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Watch is of one directory.
type Watch struct {
	f       *os.File // inotify
	changes chan struct{}
	err     error
}

// New watches a directory, from before it returns until Close.
func New(dir string) (*Watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watching %s: %w", dir, os.NewSyscallError("inotify_init1", err))
	}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ONLYDIR); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("watching %s: %w", dir, err)
	}
	w := &Watch{f: os.NewFile(uintptr(fd), "inotify"), changes: make(chan struct{}, 1)}
	go w.run()
	return w, nil
}

// Changes has an element when there is something to look at, however many
// changes there were. It is closed at the end of the watch, see Err.
func (w *Watch) Changes() <-chan struct{} { return w.changes }

// Err is why Changes was closed.
func (w *Watch) Err() error { return w.err }

// Close ends the watch.
func (w *Watch) Close() { w.f.Close() }

// Follow calls look now and after each change, until it fails, ctx is done, whose
// error it returns, or there will be no more: at a time, which is never when it is
// zero, or when ended is closed. Then it looks once more.
func (w *Watch) Follow(ctx context.Context, until time.Time, ended <-chan struct{}, look func(context.Context) error) error {
	var late <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		late = timer.C
	}
	for {
		if err := look(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return look(ctx)
		case <-ended:
			return look(ctx)
		case _, open := <-w.changes:
			if !open {
				return w.err
			}
		}
	}
}

// run turns any number of events into one.
func (w *Watch) run() {
	buf := make([]byte, 16<<10)
	for {
		if _, err := w.f.Read(buf); err != nil {
			w.err = err
			close(w.changes)
			return
		}
		select {
		case w.changes <- struct{}{}:
		default:
		}
	}
}

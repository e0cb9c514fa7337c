package logs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// watch is told of changes in a log's directory.
type watch struct {
	f       *os.File // inotify
	changes chan struct{}
	err     error // once changes is closed
}

// newWatch watches the directory, where rotation shows, and with it each write
// to its files.
func newWatch(path string) (*watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("following log: %w", os.NewSyscallError("inotify_init1", err))
	}
	dir := filepath.Dir(path)
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ONLYDIR); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("following log in %s: %w", dir, err)
	}
	w := &watch{f: os.NewFile(uintptr(fd), "inotify"), changes: make(chan struct{}, 1)}
	go w.run()
	return w, nil
}

// run turns any number of events into one that there is something to look at.
func (w *watch) run() {
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

func (w *watch) close() { w.f.Close() }

// follow reads what is there, and then what comes.
func (r *reader) follow(ctx context.Context) error {
	var until <-chan time.Time
	if !r.q.Until.IsZero() {
		timer := time.NewTimer(time.Until(r.q.Until))
		defer timer.Stop()
		until = timer.C
	}
	for {
		if err := r.catchUp(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-until:
			return r.catchUp(ctx)
		case <-r.q.Ended:
			return r.catchUp(ctx)
		case _, open := <-r.watch.changes:
			if !open {
				return fmt.Errorf("following log: %w", r.watch.err)
			}
		}
	}
}

// catchUp reads up to the end of the newest file. Newer files are looked for
// before the end of the one that was the newest is read: once there is a newer
// one, it grows no more.
func (r *reader) catchUp(ctx context.Context) error {
	for {
		if err := r.readAll(ctx); err != nil {
			return err
		}
		newer, err := r.newer()
		if err != nil || len(newer) == 0 {
			return err
		}
		r.files = append(r.files, newer...)
		if r.lines == nil {
			r.enter(0)
		}
	}
}

// newer are the files that came after the one that is being read.
func (r *reader) newer() (chain, error) {
	if len(r.files) > 0 {
		fi, err := os.Lstat(r.path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("following log: %w", err)
		}
		if err == nil && same(r.files[0], fi) {
			return nil, nil
		}
	}
	files, err := openChain(r.path)
	if err != nil || len(r.files) == 0 {
		return files, err
	}
	return files.after(r.files[0]), nil
}

package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// slots is how many guests may run at once from one cache: each takes two
// processors' time and, at worst, 3 GB of memory.
const slots = 2

// takeSlot waits until a guest may run, and returns what ends its turn.
func takeSlot(ctx context.Context, cache string) (release func(), err error) {
	for i := range slots {
		if release, err = lock(ctx, slotFile(cache, i), unix.LOCK_NB); err == nil || !errors.Is(err, unix.EWOULDBLOCK) {
			return release, err
		}
	}
	return firstSlot(ctx, cache)
}

// firstSlot waits for whichever slot is free first.
func firstSlot(ctx context.Context, cache string) (release func(), err error) {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	type place struct {
		release func()
		err     error
	}
	free := make(chan place) // unbuffered: a second slot that comes free is given back
	for i := range slots {
		go func() {
			release, err := lock(waiting, slotFile(cache, i), 0)
			select {
			case free <- place{release, err}:
			case <-waiting.Done():
				if err == nil {
					release()
				}
			}
		}()
	}
	select {
	case got := <-free:
		return got.release, got.err
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for one of %d guests to end: %w", slots, ctx.Err())
	}
}

// slotFile is the lock of one slot.
func slotFile(cache string, slot int) string {
	return filepath.Join(cache, fmt.Sprintf("guest%d.lock", slot))
}

// lock takes a file's lock and returns what gives it back. Where another has
// it, it waits until ctx ends, or not at all with [unix.LOCK_NB].
func lock(ctx context.Context, path string, how int) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	locked := make(chan error, 1)
	go func() { locked <- unix.Flock(int(file.Fd()), unix.LOCK_EX|how) }()
	select {
	case err = <-locked:
	case <-ctx.Done():
		go func() { <-locked; file.Close() }()
		return nil, fmt.Errorf("waiting for the lock of %s: %w", path, ctx.Err())
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { file.Close() }, nil
}

package logs

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// follow reads what is there, and then what comes.
func (r *reader) follow(ctx context.Context) error {
	return r.watch.Follow(ctx, r.q.Until, r.q.Ended, r.catchUp)
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

package store

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Use keeps images from being collected until it is closed, or the process ends.
//
// Errors: [image.ErrNotFound] where one is gone.
func (s *Store) Use(ctx context.Context, images ...*Image) (io.Closer, error) {
	op, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	for _, img := range images {
		if err := op.use(ctx, img.Image); err != nil {
			return nil, errors.Join(fmt.Errorf("image %s: %w", img.ID(), err), op.end())
		}
	}
	return using{op}, nil
}

type using struct{ op *operation }

// Close lets go of the images.
func (u using) Close() error { return u.op.end() }

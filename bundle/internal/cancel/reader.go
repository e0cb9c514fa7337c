// Package cancel ends long copies when their context does.
//
// It is not for reads that wait: what is under way is not interrupted.
package cancel

import (
	"context"
	"io"
)

// Reader is a reader whose next read fails when the context has ended.
func Reader(ctx context.Context, r io.Reader) io.Reader { return &reader{ctx, r} }

type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

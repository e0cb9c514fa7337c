package images

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// Make writes an image in both compressions into an OCI image layout: NAME-gzip and
// NAME-zstd. What is in the layout already is not made again; packages are kept in
// cache.
func Make(ctx context.Context, layout, cache, name string) error {
	recipe, ok := recipes()[name]
	if !ok {
		return fmt.Errorf("no image %q [there are busybox, debian and small]", name)
	}
	out := layoutDir(layout)
	if out.has(name+"-gzip") && out.has(name+"-zstd") {
		return nil
	}
	if err := download(ctx, cache, packagesOf(recipe)); err != nil {
		return err
	}
	layers := make([]pair, len(recipe))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for i, s := range recipe {
		g.Go(func() (err error) {
			layers[i], err = out.layer(func(w *layer) error { return s.write(ctx, cache, w) })
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, how := range []string{"gzip", "zstd"} {
		if err := out.image(name+"-"+how, how, recipe, layers); err != nil {
			return err
		}
	}
	return nil
}

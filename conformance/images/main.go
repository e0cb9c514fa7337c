package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

// run makes the images that the arguments name, or all.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	out := flags.String("o", "", "write the layout to `DIR`")
	cache := flags.String("cache", defaultCache(), "keep packages in `DIR`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *out == "" {
		return fmt.Errorf("-o is missing")
	}
	names := flags.Args()
	if len(names) == 0 {
		names = []string{"busybox", "debian"}
	}
	for _, name := range names {
		recipe, ok := recipes()[name]
		if !ok {
			return fmt.Errorf("no image %q [there are busybox and debian]", name)
		}
		if err := build(ctx, layoutDir(*out), *cache, name, recipe); err != nil {
			return fmt.Errorf("making %s: %w", name, err)
		}
	}
	return nil
}

// defaultCache is where packages are kept from one time to the next.
func defaultCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "davit-images")
}

// build makes an image in both compressions. What is in the layout already is
// not made again.
func build(ctx context.Context, out layoutDir, cache, name string, recipe []step) error {
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

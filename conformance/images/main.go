package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/davit-containers/davit/conformance/internal/images"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

// run makes the images that the arguments name, or the two that are measured with.
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
		if err := images.Make(ctx, *out, *cache, name); err != nil {
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

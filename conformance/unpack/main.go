package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/internal/disk"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := alone()
	if err == nil {
		err = run(ctx, os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "unpack:", err)
		os.Exit(1)
	}
}

// alone goes on in a mount namespace of its own: others that are made meanwhile
// would keep the file systems of runs that are over.
func alone() error {
	const mark = "DAVIT_UNPACK_ALONE=1"
	if slices.Contains(os.Environ(), mark) {
		return nil
	}
	path, err := exec.LookPath("unshare")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := append([]string{path, "--mount", "--propagation", "private", self}, os.Args[1:]...)
	return unix.Exec(path, args, append(os.Environ(), mark))
}

// run measures what the arguments ask for, and prints a table for each image.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("unpack", flag.ContinueOnError)
	images := flags.String("images", "", "the `LAYOUT` with the images")
	rounds := flags.Int("rounds", 3, "measure each tool so often")
	only := flags.String("only", "", "measure only these `TOOLS`")
	which := flags.String("image", "busybox-gzip,busybox-zstd,debian-gzip,debian-zstd", "unpack these `IMAGES`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var given []tool
	for _, arg := range flags.Args() {
		t, err := named(arg)
		if err != nil {
			return err
		}
		given = append(given, t)
	}
	if *images == "" || len(given) == 0 {
		return errors.New("-images LAYOUT or NAME=PATH is missing")
	}
	layout, err := filepath.Abs(*images)
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(given[0].name, " ")
	chosen := slices.DeleteFunc(tools(name, given[0].needs, given[1:]), func(t tool) bool {
		word, _, _ := strings.Cut(t.name, " ")
		return *only != "" && !slices.Contains(strings.Split(*only, ","), word)
	})
	if len(chosen) == 0 {
		return fmt.Errorf("no tool is named %s", *only)
	}
	d, err := disk.New(ctx)
	if err != nil {
		return err
	}
	defer d.Remove()
	for _, image := range strings.Split(*which, ",") {
		if err := measureImage(ctx, d, layout, image, chosen, *rounds); err != nil {
			return fmt.Errorf("image %s: %w", image, err)
		}
	}
	return nil
}

// named is a program that was given as NAME=PATH.
func named(arg string) (tool, error) {
	name, path, ok := strings.Cut(arg, "=")
	if !ok {
		return tool{}, fmt.Errorf("%q: it is not NAME=PATH", arg)
	}
	program, err := filepath.Abs(path)
	return other(name, program), err
}

// measureImage measures all tools with one image, in turns.
func measureImage(ctx context.Context, d *disk.Disk, layout, image string, tools []tool, rounds int) error {
	in, err := prepare(ctx, d.Dir, layout, image)
	if err != nil {
		return err
	}
	results, failed := map[string][]result{}, map[string]bool{}
	for round := range rounds {
		for i := range tools {
			t := tools[(i+round)%len(tools)]
			if _, err := exec.LookPath(t.needs); err != nil || failed[t.name] {
				continue
			}
			r, err := measure(ctx, d, t, in)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if failed[t.name] = err != nil; err != nil {
				fmt.Fprintf(os.Stderr, "unpack: %s is left out: %v\n", t.name, err)
				continue
			}
			results[t.name] = append(results[t.name], r)
		}
	}
	printTable(os.Stdout, image, in, tools, results)
	return nil
}

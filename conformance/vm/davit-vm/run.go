package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/davit-containers/davit/conformance/vm"
)

// request is what the command line of run asks for.
type request struct {
	options vm.Options
	command vm.Command
	timeout time.Duration
}

// run boots a guest and runs a command in it.
func run(ctx context.Context, args []string) (status int, err error) {
	r, err := parse(args)
	if err != nil {
		return failed, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	status, err = r.run(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return outOfTime, errors.New("the command ran out of time")
	}
	if err != nil {
		return failed, err
	}
	return status, nil
}

// run carries the request out. The guest's image is made if there is none yet.
func (r request) run(ctx context.Context) (status int, err error) {
	cache, err := vm.CacheDir()
	if err != nil {
		return 0, err
	}
	image, err := vm.Build(ctx, cache, os.Stderr)
	if err != nil {
		return 0, err
	}
	guest, err := image.Start(ctx, r.options)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, guest.Stop()) }()
	return guest.Run(r.command)
}

// parse reads the command line of run.
func parse(args []string) (request, error) {
	here, err := os.Getwd()
	if err != nil {
		return request{}, err
	}
	r := request{command: vm.Command{Shares: []vm.Share{{Path: here}}, Stdout: os.Stdout, Stderr: os.Stderr}}
	flags := flag.NewFlagSet("davit-vm run", flag.ContinueOnError)
	flags.BoolVar(&r.command.User, "user", false, "run as the ordinary user, rootless, in a session of his")
	flags.StringVar(&r.command.Dir, "dir", here, "the command's working `FOLDER`")
	flags.Func("env", "a `NAME=VALUE` for the command's environment; may be repeated", func(value string) error {
		r.command.Env = append(r.command.Env, value)
		return nil
	})
	flags.Func("share", "a `FOLDER[:ro]` of the host to show to the command, at the same path; may be repeated", func(value string) error {
		share, err := parseShare(value)
		r.command.Shares = append(r.command.Shares, share)
		return err
	})
	flags.IntVar(&r.options.MemoryMiB, "memory", 0, "the guest's memory, in `MiB`, if not 2048; such a guest is booted, never restored")
	flags.BoolVar(&r.options.Boot, "boot", false, "boot the guest, rather than restore one that has booted")
	flags.DurationVar(&r.timeout, "timeout", time.Hour, "the longest time to wait for the command, and for a free place")
	if err := flags.Parse(args); err != nil {
		return r, err
	}
	if r.command.Args = flags.Args(); len(r.command.Args) == 0 {
		return r, errors.New(usage)
	}
	return r, nil
}

// parseShare reads a folder with an optional :ro.
func parseShare(value string) (vm.Share, error) {
	path, readOnly := strings.CutSuffix(value, ":ro")
	path, err := filepath.Abs(path)
	if err != nil {
		return vm.Share{}, err
	}
	_, err = os.Stat(path)
	return vm.Share{Path: path, ReadOnly: readOnly}, err
}

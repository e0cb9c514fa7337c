// Davit-vm runs commands in a guest: a machine of its own with cgroup v2,
// systemd, AppArmor and CRIU, emulated by QEMU. See package vm.
//
//	davit-vm image                        make what guests boot from; print where it is
//	davit-vm run [flags] [--] COMMAND...  boot a guest, run the command, forget the guest
//
// The command sees the current folder at the same path, and those of --share.
// It reads nothing: its stdin is empty. The exit status is the command's, or
// 128 and the number of the signal that killed it; 124 when it was out of time;
// 125 when it could not be run.
//
// It is not for machines that are kept: nothing that a command writes outlives
// it but in shared folders.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/vm"
	"github.com/davit-containers/davit/conformance/vm/agent"
)

// Exit statuses of our own.
const (
	outOfTime = 124
	failed    = 125
)

const usage = "usage: davit-vm image | davit-vm run [flags] [--] COMMAND..."

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	status, err := command(ctx, os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "davit-vm:", err)
	}
	os.Exit(status)
}

// command carries out a command line.
func command(ctx context.Context, args []string) (status int, err error) {
	if len(args) == 0 {
		return failed, errors.New(usage)
	}
	switch args[0] {
	case "image":
		err = image(ctx)
	case "run":
		return run(ctx, args[1:])
	case "agent": // in the guest: see the image's guest.service
		err = serve()
	default:
		err = fmt.Errorf("unknown command %q; %s", args[0], usage)
	}
	if err != nil {
		return failed, err
	}
	return 0, nil
}

// image makes the guests' image if needed, and prints its folder.
func image(ctx context.Context) error {
	cache, err := vm.CacheDir()
	if err != nil {
		return err
	}
	image, err := vm.Build(ctx, cache, os.Stderr)
	if err != nil {
		return err
	}
	fmt.Println(image)
	return nil
}

// serve runs in the guest.
func serve() error {
	port, err := agent.OpenPort()
	if err != nil {
		return err
	}
	return agent.Serve(port)
}

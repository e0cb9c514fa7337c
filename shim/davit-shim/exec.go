package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/options"
	"github.com/davit-containers/davit/shim/supervise"
)

// executing has the flags of davit-shim exec.
type executing struct {
	detach, interactive, tty bool
	process                  supervise.Process
	env, envFiles            []string
	detachKeys               string
}

// execCommand is davit-shim exec.
func (p *program) execCommand() *cobra.Command {
	var e executing
	cmd := &cobra.Command{
		Use:   "exec CONTAINER COMMAND [ARGUMENT...]",
		Short: "run a further program in a running container",
		Long: `Runs a program beside the container's own, with its environment, user and directory,
or others. Its output comes here, and the exit status is its own; 126 is that of a
program which cannot be invoked, 127 that of one which is not there.`,
		Args: atLeast(2),
		RunE: func(cmd *cobra.Command, args []string) error { return p.exec(cmd.Context(), &e, args) },
	}
	fs := cmd.Flags()
	fs.SetInterspersed(false) // what follows CONTAINER is the command's
	fs.BoolVarP(&e.detach, "detach", "d", false, "let the program run on its own")
	fs.BoolVarP(&e.interactive, "interactive", "i", false, "pass standard input on")
	fs.BoolVarP(&e.tty, "tty", "t", false, "give the program a terminal")
	fs.StringArrayVarP(&e.env, "env", "e", nil, "set `NAME=VALUE` in its environment")
	fs.StringArrayVar(&e.envFiles, "env-file", nil, "set what `FILE` says in its environment")
	fs.StringVarP(&e.process.Dir, "workdir", "w", "", "run in the directory `DIR`")
	fs.StringVarP(&e.process.User, "user", "u", "", "run as `USER`[:GROUP]")
	fs.BoolVar(&e.process.Privileged, "privileged", false, "give it all capabilities")
	fs.StringVar(&e.detachKeys, "detach-keys", "", "leave the program running when `KEYS` are typed (default is the container's)")
	return ends(cmd)
}

func (p *program) exec(ctx context.Context, e *executing, args []string) error {
	c, err := p.container(args[0])
	if err != nil {
		return err
	}
	if err := p.checkTerminal(e.interactive && !e.detach, e.tty); err != nil {
		return err
	}
	env, err := options.Environment(e.envFiles, e.env)
	if err != nil {
		return err
	}
	client, err := running(c)
	if err != nil {
		return err
	}
	defer client.Close()
	process := e.process
	process.Args, process.Env, process.Terminal = args[1:], env, e.tty
	process.Input, process.Output = e.interactive && !e.detach, !e.detach
	if size, err := unix.IoctlGetWinsize(int(p.in.Fd()), unix.TIOCGWINSZ); err == nil && e.tty {
		process.Width, process.Height = int(size.Col), int(size.Row)
	}
	return p.execute(ctx, client, c, e, process)
}

// execute starts the process, and moves its streams until it ends, unless it is
// left alone.
func (p *program) execute(ctx context.Context, client *supervise.Client, c *container.Container, e *executing, process supervise.Process) error {
	id, err := client.Exec(ctx, process)
	var failed *supervise.StartError
	if errors.As(err, &failed) {
		return statusError{failed, failed.ExitCode()}
	}
	if err != nil || e.detach {
		return err
	}
	err = p.connect(ctx, client, c, attachment{
		stdin: e.interactive, stdout: true, stderr: true, detachKeys: e.detachKeys, first: true, exec: id, terminal: e.tty,
	})
	if errors.Is(err, supervise.ErrDetached) {
		return nil
	}
	if err != nil {
		return err
	}
	code, err := client.WaitExec(ctx, id)
	if err == nil && code != 0 {
		err = exitStatus(code)
	}
	return err
}

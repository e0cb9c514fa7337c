package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/container"
)

// attaching has the flags of davit-shim attach.
type attaching struct {
	noStdin, sigProxy bool
	detachKeys        string
}

// attachCommand is davit-shim attach.
func (p *program) attachCommand() *cobra.Command {
	var a attaching
	cmd := &cobra.Command{
		Use:   "attach CONTAINER",
		Short: "connect the streams of a running container to this terminal",
		Long: `Brings here what the container writes from now on, and passes standard input on, if
the container was made with -i. Ends when the container does, with its exit status;
the detach keys (ctrl-p ctrl-q by default) leave it running.`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.attach(cmd.Context(), a, args[0]) },
	}
	fs := cmd.Flags()
	fs.BoolVar(&a.noStdin, "no-stdin", false, "do not pass standard input on")
	fs.BoolVar(&a.sigProxy, "sig-proxy", true, "pass signals on to the program")
	fs.StringVar(&a.detachKeys, "detach-keys", "", "leave the container running when `KEYS` are typed (default is the container's)")
	return ends(cmd)
}

func (p *program) attach(ctx context.Context, a attaching, ref string) error {
	c, err := p.container(ref)
	if err != nil {
		return err
	}
	stdin := !a.noStdin && c.Config.Interactive
	if err := p.checkTerminal(stdin, c.Config.Terminal); err != nil {
		return err
	}
	s, err := c.State()
	if err != nil {
		return err
	}
	if s.Status == container.Paused {
		return errors.New("cannot attach to a paused container, unpause it first")
	}
	client, err := running(c)
	if err != nil {
		return err
	}
	defer client.Close()
	return p.foreground(ctx, client, c, attachment{
		stdin: stdin, stdout: true, stderr: true, signals: a.sigProxy, detachKeys: a.detachKeys,
	})
}

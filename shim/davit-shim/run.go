package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/supervise"
)

// runs has the flags of davit-shim run.
type runs struct {
	creation
	detach   bool
	streams  []string
	sigProxy bool
}

// runCommand is davit-shim run.
func (p *program) runCommand() *cobra.Command {
	var r runs
	cmd := &cobra.Command{
		Use:   "run IMAGE [COMMAND [ARGUMENT...]]",
		Short: "make a container, and run its program",
		Long: `Makes a container of an image, which is fetched if it is not here, and runs the
image's program in it, or COMMAND. Its output comes here until it ends, and the
exit status is its own; 125 is that of a failure of davit-shim, 126 that of a
program which cannot be invoked, and 127 that of one which is not there. With
--detach the container runs on its own, and its ID is printed.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.runImage(cmd.Context(), &r, args) },
	}
	r.add(cmd)
	fs := cmd.Flags()
	fs.BoolVarP(&r.detach, "detach", "d", false, "let the container run on its own, and print its ID")
	fs.StringArrayVarP(&r.streams, "attach", "a", nil, "connect only `STREAM`: stdin, stdout or stderr")
	fs.BoolVar(&r.sigProxy, "sig-proxy", true, "pass signals on to the program")
	return ends(cmd)
}

func (p *program) runImage(ctx context.Context, r *runs, args []string) error {
	a, err := r.attachment()
	if err == nil && !r.detach {
		err = p.checkTerminal(a.stdin, r.Terminal)
	}
	if err != nil {
		return err
	}
	l, err := p.create(ctx, &r.creation, args)
	if err != nil {
		return err
	}
	defer l.Unlock()
	client, err := launch(ctx, l, supervise.StartOptions{Attach: !r.detach})
	if err != nil {
		return err
	}
	defer client.Close()
	l.Unlock()
	if r.detach {
		_, err := fmt.Fprintln(p.out, l.Config.ID)
		return err
	}
	return p.foreground(ctx, client, l.Container, a)
}

// attachment is what of the container's streams is connected.
func (r *runs) attachment() (a attachment, err error) {
	if r.detach && len(r.streams) > 0 {
		return a, errors.New("Conflicting options: -a and -d") // Compat(moby): its words
	}
	for _, s := range r.streams {
		if !slices.Contains([]string{"stdin", "stdout", "stderr"}, s) {
			return a, fmt.Errorf("--attach %q: it is stdin, stdout or stderr", s)
		}
	}
	all := len(r.streams) == 0
	a = attachment{
		stdin: all && r.Interactive || slices.Contains(r.streams, "stdin"), stdout: all || slices.Contains(r.streams, "stdout"),
		stderr: all || slices.Contains(r.streams, "stderr"), signals: r.sigProxy, first: true,
	}
	if slices.Contains(r.streams, "stdin") {
		r.Interactive = true
	}
	return a, nil
}

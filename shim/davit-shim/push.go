package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/progress"
	"github.com/davit-containers/davit/bundle/store"
)

// pushCommand is davit-shim push.
func (p *program) pushCommand() *cobra.Command {
	var t transfer
	cmd := &cobra.Command{
		Use:   "push IMAGE [NAME]",
		Short: "send an image to a registry",
		Long: `Sends an image to the registry of its name, or under NAME to that of NAME. What
the registry has already is not sent. Credentials are those of docker login. Files
and directories are written by save.`,
		Args: between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return p.push(cmd.Context(), t, args) },
	}
	t.addProgress(cmd)
	return cmd
}

func (p *program) push(ctx context.Context, t transfer, args []string) error {
	_, img, err := p.image(ctx, args[0])
	if err != nil {
		return err
	}
	to, err := image.ParseName(args[len(args)-1])
	if err != nil {
		return err
	}
	if to.Tag() == "" {
		return fmt.Errorf("pushing %s: a name with a digest is none that can be given", to.Familiar())
	}
	err = p.watch(t, func(report progress.Func) error { return send(ctx, img, to, report) })
	if err != nil {
		return err
	}
	if t.quiet {
		fmt.Fprintln(p.out, to)
		return nil
	}
	d := img.Descriptor() // Compat(moby): its words
	fmt.Fprintf(p.out, "%s: digest: %s size: %d\n", to.Tag(), d.Digest, d.Size)
	return nil
}

// send writes an image to a registry.
func send(ctx context.Context, img *store.Image, to image.Name, report progress.Func) error {
	report(progress.Event{Phase: progress.Resolving, Layer: to.String()})
	c, err := client(report)
	if err != nil {
		return err
	}
	return c.Push(ctx, img.Image, to)
}

package main

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"
)

// planCommand is davit plan.
func (p *program) planCommand() *cobra.Command {
	var c creation
	var format string
	cmd := &cobra.Command{
		Use:   "plan <container-id>",
		Short: "print what would be done to create a container, and do nothing",
		Long: `Compiles the bundle's configuration for this host and prints the steps with which
davit create would make the container, one a line, or as JSON. It takes the
options of davit create.`,
		Args: p.exactly(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.plan(args[0], &c, format) },
	}
	c.register(cmd.Flags())
	cmd.Flags().StringVar(&format, "format", "text", "the output's `FORMAT`: text or json")
	return cmd
}

// plan prints the plan for a container.
func (p *program) plan(id string, c *creation, format string) error {
	if err := checkFormat(format, "text", "json"); err != nil {
		return err
	}
	rt, err := p.runtime()
	if err != nil {
		return err
	}
	bundle, err := c.load()
	if err != nil {
		return err
	}
	options, err := c.options()
	if err != nil {
		return err
	}
	options.StartLater = true
	compiled, err := rt.Plan(id, bundle, options)
	if err != nil {
		return err
	}
	if format == "json" {
		return p.printJSON(compiled)
	}
	_, err = io.WriteString(p.out, compiled.String())
	return err
}

// printJSON prints a value as JSON for a reader.
func (p *program) printJSON(v any) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "    ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := p.out.Write(out.Bytes())
	return err
}

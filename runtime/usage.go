package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// misuse is an error in how davit was called. It begins with the program's
// name, as callers of runc are used to.
func (p *program) misuse(format string, args ...any) error {
	return fmt.Errorf("%s: "+format, append([]any{p.name}, args...)...)
}

// unknown is the error for a command that does not exist.
func (p *program) unknown(args []string) error {
	if slices.Contains(args, "-h") || slices.Contains(args, "--help") {
		return noHelpTopic(args[0])
	}
	return p.misuse("unknown command %q [%s --help lists the commands]", args[0], p.name)
}

// checkFormat refuses an output format that a command does not have.
// Compat(runc): its text.
func checkFormat(format string, known ...string) error {
	if slices.Contains(known, format) {
		return nil
	}
	return fmt.Errorf("invalid format option: %q [it is %s]", format, strings.Join(known, " or "))
}

// exactly wants n arguments.
func (p *program) exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return p.misuse("%q requires exactly %s", cmd.Name(), countArguments(n))
	}
}

// atLeast wants n arguments or more.
func (p *program) atLeast(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return p.misuse("%q requires a minimum of %s", cmd.Name(), countArguments(n))
		}
		return nil
	}
}

// between wants at least low and at most high arguments.
func (p *program) between(low, high int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < low:
			return p.misuse("%q requires a minimum of %s", cmd.Name(), countArguments(low))
		case len(args) > high:
			return p.misuse("%q requires a maximum of %s", cmd.Name(), countArguments(high))
		}
		return nil
	}
}

// countArguments is "1 argument", "2 arguments".
func countArguments(n int) string {
	if n == 1 {
		return "1 argument"
	}
	return strconv.Itoa(n) + " arguments"
}

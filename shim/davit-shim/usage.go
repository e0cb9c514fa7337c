package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
)

// misuse is an error in how a command was called.
func misuse(cmd *cobra.Command, format string, args ...any) error {
	return fmt.Errorf("%s: "+format+" [see %s --help]", append(append([]any{cmd.Name()}, args...), cmd.CommandPath())...)
}

// exactly wants n arguments.
func exactly(n int) cobra.PositionalArgs { return between(n, n) }

// atLeast wants n arguments or more.
func atLeast(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return misuse(cmd, "it takes at least %s", arguments(n))
		}
		return nil
	}
}

// between wants at least low and at most high arguments.
func between(low, high int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) >= low && len(args) <= high:
			return nil
		case low == high:
			return misuse(cmd, "it takes exactly %s", arguments(low))
		}
		return misuse(cmd, "it takes from %d to %s", low, arguments(high))
	}
}

// arguments is "1 argument", "2 arguments".
func arguments(n int) string {
	if n == 1 {
		return "1 argument"
	}
	return strconv.Itoa(n) + " arguments"
}

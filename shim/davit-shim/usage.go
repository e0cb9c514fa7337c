package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// misuse is an error in how a command was called.
func misuse(cmd *cobra.Command, format string, args ...any) error {
	return fmt.Errorf("%s: "+format+" [see %s --help]", append(append([]any{cmd.Name()}, args...), cmd.CommandPath())...)
}

// foreign are flags of Docker's that there are not, with what there is instead.
var foreign = map[string]string{
	"gpus":           "give devices by --device",
	"runtime":        "the runtime is davit",
	"link":           "containers of one network find each other by name",
	"storage-opt":    "a root file system has no size of its own",
	"volume-driver":  "volumes are directories of this machine",
	"isolation":      "it is Windows'",
	"kernel-memory":  "Linux has no such limit any more",
	"cpu-rt-runtime": "there are --cpus and --cpu-shares",
	"cpu-rt-period":  "there are --cpus and --cpu-shares",
	"squash":         "layers are kept",
	"cache-from":     "the cache is this machine's",
	"cache-to":       "the cache is this machine's",
	"builder":        "there is one builder",
	"load":           "images are in the store in any case",
	"push":           "the command push does that",
	"ssh":            "secrets come by --secret",
}

// flagError is an error in a command's flags.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		if instead := foreign[unknown.GetSpecifiedName()]; instead != "" {
			return fmt.Errorf("%s: unknown flag: --%s [%s]", cmd.Name(), unknown.GetSpecifiedName(), instead)
		}
	}
	return misuse(cmd, "%w", err)
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

package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// misuse is an error in how a command was called.
func misuse(cmd *cobra.Command, format string, args ...any) error {
	return fmt.Errorf("%s: "+format+" [see %s --help]", append(append([]any{cmd.Name()}, args...), cmd.CommandPath())...)
}

// foreign are flags of Docker's and Podman's that there are not, with what there is
// instead: those of a command before those of all.
var foreign = map[string]string{
	"gpus":                  "give devices by --device",
	"runtime":               "the runtime is davit",
	"link":                  "containers of one network find each other by name",
	"storage-opt":           "a root file system has no size of its own",
	"volume-driver":         "volumes are directories of this machine",
	"isolation":             "it is Windows'",
	"kernel-memory":         "Linux has no such limit any more",
	"cpu-rt-runtime":        "there are --cpus and --cpu-shares",
	"cpu-rt-period":         "there are --cpus and --cpu-shares",
	"blkio-weight-device":   "there is --blkio-weight, for all disks",
	"disable-content-trust": "there is no content trust: images are named by digest",
	"details":               "inspect shows the log's options",
	"latest":                "ps -lq has the ID of the latest container",
	"noheading":             "--format has no headings",
	"all-tags":              "name each tag",
	"authfile":              "login keeps credentials where Docker keeps them",
	"creds":                 "login keeps credentials",
	"tls-verify":            "plainHTTP in registries.json allows plain http",
	"cert-dir":              "certificates are in certs.d, or named in registries.json",
	"pod":                   "there are no pods: --network, --ipc and --pid join containers",
	"secret":                "mount a file by --volume",
	"env-host":              "--env NAME takes the caller's value",
	"replace":               "rm -f removes the container that has the name",
	"run --timeout":         "timeout(1) ends the command",
	"stop --all":            "ps -q has all that run",
	"rm --all":              "prune removes all that do not run; ps -aq has all",
	"kill --all":            "ps -q has all that run",
	"rmi --all":             "prune --all removes all that no container uses",
	"create --attach":       "start --attach connects the streams",
	"builder prune --all":   "it removes all as it is",
	"create --opt":          "a volume is a directory of this machine; mount others by --volume",
	"create --ip-range":     "containers have any address of the --subnet, or that of --ip",
	"create --ipv6":         "give an IPv6 --subnet",
	"create --attachable":   "every container can join",
	"build --rm":            "nothing is left of steps, but in the cache",
	"build --force-rm":      "nothing is left of steps, but in the cache",
	"build --squash":        "layers are kept",
	"build --cache-from":    "the cache is this machine's",
	"build --cache-to":      "the cache is this machine's",
	"build --builder":       "there is one builder",
	"build --load":          "images are in the store in any case",
	"build --push":          "the command push does that",
	"build --ssh":           "secrets come by --secret",
	"build --memory":        "what RUN starts has no limits of its own",
	"build --ulimit":        "what RUN starts has no limits of its own",
	"build --shm-size":      "RUN --mount=type=tmpfs,target=/dev/shm has one of any size",
	"build --layers":        "every step that changes files is a layer",
	"build --volume":        "RUN --mount=type=bind mounts what is in the context",
}

// flagError is an error in a command's flags.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return misuse(cmd, "%w", err)
	}
	name := unknown.GetSpecifiedName()
	for _, key := range [...]string{strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ") + " --" + name, cmd.Name() + " --" + name, name} {
		if instead := foreign[key]; instead != "" {
			return fmt.Errorf("%s: unknown flag: --%s [%s]", cmd.Name(), name, instead)
		}
	}
	if meant := nearFlag(cmd, unknown); meant != "" {
		return fmt.Errorf("%s: %w [did you mean --%s? see %s --help]", cmd.Name(), err, meant, cmd.CommandPath())
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

package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// makesContainer tells which commands are given the id of a container that
// does not exist yet: nothing completes it.
func makesContainer(name string) bool {
	switch name {
	case "create", "plan", "restore", "run":
		return true
	}
	return false
}

// completeArguments adds to a command what its arguments may be: words that it
// knows, or the ids of containers where it takes one.
func (p *program) completeArguments(cmd *cobra.Command) {
	at := idPosition(cmd.Use)
	if at < 0 || makesContainer(cmd.Name()) {
		return
	}
	words := cmd.ValidArgs
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		switch {
		case len(args) < at:
			return words, cobra.ShellCompDirectiveNoFileComp
		case len(args) == at:
			return p.completeIDs(), cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
}

// idPosition is which of the arguments that Use names is a container's id; -1
// for none.
func idPosition(use string) int {
	for i, argument := range strings.Fields(use)[1:] {
		if strings.Contains(argument, "container-id") {
			return i
		}
	}
	return -1
}

// completeIDs lists the containers as davit list -q does; none where they
// cannot be listed.
func (p *program) completeIDs() []cobra.Completion {
	rt, err := p.runtime()
	if err != nil {
		return nil
	}
	ids, err := rt.IDs()
	if err != nil {
		return nil
	}
	return ids
}

// flagValues are the words that a flag may be, where these are few.
func flagValues(f *pflag.Flag) []string {
	switch f.Name {
	case "format":
		return []string{f.DefValue, "json"}
	case "log-format":
		return []string{"text", "json"}
	case "log-level":
		return []string{"error", "warning", "debug"}
	case "cgroup-manager":
		return []string{"cgroupfs", "systemd", "disabled"}
	case "rootless":
		return []string{"true", "false", "auto"}
	case "manage-cgroups-mode":
		return []string{"soft", "full", "strict", "ignore"}
	}
	return nil
}

// completeFlags adds to all flags what their values may be, and takes from
// their descriptions the quotes that mark the values' names.
func completeFlags(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if values := flagValues(f); len(values) > 0 {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
		f.Usage = strings.ReplaceAll(f.Usage, "`", "")
	})
	for _, c := range cmd.Commands() {
		completeFlags(c)
	}
}

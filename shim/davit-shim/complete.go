package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/meter"
)

// complete adds to a command what its arguments and flags may be: names of
// images, where it takes one, and words where these are few.
func (p *program) complete(cmd *cobra.Command) {
	words := map[string][]string{
		"progress": meter.Modes, "compression": compressions, "rootfs": {"auto", "overlay", "plain"}, "pull": pulls,
		"restart": {"no", "always", "unless-stopped", "on-failure"}, "log-driver": {"json-file", "journald", "none"},
	}
	for flag, values := range words {
		if f := cmd.Flags().Lookup(flag); f != nil && f.Value.Type() != "bool" {
			_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	arguments := strings.Fields(cmd.Use)[1:]
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		at := min(len(args), len(arguments)-1)
		if at < 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		for word, names := range p.completions() {
			if strings.Contains(arguments[at], word) {
				return names(cmd), cobra.ShellCompDirectiveNoFileComp
			}
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
}

// completions are what arguments may be, by the word that stands for them in a
// command's usage.
func (p *program) completions() map[string]func(*cobra.Command) []cobra.Completion {
	return map[string]func(*cobra.Command) []cobra.Completion{
		"IMAGE": p.imageNames, "[NAME]": p.imageNames, "CONTAINER": p.containerNames, "NETWORK": p.networkNames, "VOLUME": p.volumeNames,
	}
}

// imageNames are those of all images; none where they cannot be listed.
func (p *program) imageNames(cmd *cobra.Command) []cobra.Completion {
	s, err := p.store()
	if err != nil {
		return nil
	}
	images, err := s.Images(cmd.Context())
	if err != nil {
		return nil
	}
	var names []cobra.Completion
	for _, img := range images {
		for _, n := range img.Names {
			names = append(names, n.Familiar())
		}
	}
	return names
}

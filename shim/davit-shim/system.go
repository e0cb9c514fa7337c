package main

import "github.com/spf13/cobra"

// systemCommand is davit-shim system.
func (p *program) systemCommand() *cobra.Command {
	return p.group("system", "look after all that is kept", "", (*program).diskUseCommand, (*program).infoCommand, (*program).pruneCommand)
}

// imageCommand is davit-shim image: its other words are commands of their own.
func (p *program) imageCommand() *cobra.Command {
	return p.group("image", "look after images", "All but prune is a command of its own: images, pull, rmi.", (*program).imagePruneCommand)
}

// containerCommand is davit-shim container: its other words are commands of their own.
func (p *program) containerCommand() *cobra.Command {
	return p.group("container", "look after containers", "All but prune is a command of its own: ps, run, rm.", (*program).containerPruneCommand)
}

// builderCommand is davit-shim builder.
func (p *program) builderCommand() *cobra.Command {
	return p.group("builder", "look after what builds remember", "", (*program).builderPruneCommand)
}

// imagePruneCommand is davit-shim image prune.
func (p *program) imagePruneCommand() *cobra.Command {
	var c cleaning
	var all bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "remove images that no container uses",
		Long: `Removes the images without a name that no container uses; with --all those with names
too. Filters: label=NAME[=VALUE], label!=NAME[=VALUE], until=TIME|AGE (made before).`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			warning := "This will remove all images without a name that no container uses."
			if all {
				warning = "This will remove all images that no container uses."
			}
			return p.prune(c, warning, p.pruneImages(cmd.Context(), all))
		},
	}
	c.add(cmd)
	cmd.Flags().BoolVarP(&all, "all", "a", false, "images with names too")
	return cmd
}

// containerPruneCommand is davit-shim container prune.
func (p *program) containerPruneCommand() *cobra.Command {
	var c cleaning
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "remove containers that do not run",
		Long: `Removes the containers that do not run, and what killed calls left of others.
Filters: label=NAME[=VALUE], label!=NAME[=VALUE], until=TIME|AGE (made before).`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.prune(c, "This will remove all containers that do not run.", p.pruneContainers(cmd.Context()))
		},
	}
	c.add(cmd)
	return cmd
}

// builderPruneCommand is davit-shim builder prune.
func (p *program) builderPruneCommand() *cobra.Command {
	var c cleaning
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "remove what builds remember",
		Long: `Removes the layers of steps that builds would not do again, but for those of images,
and the directories of RUN --mount=type=cache. Filter: until=TIME|AGE (not used
since).`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.prune(c, "This will remove all that builds remember.", p.pruneBuilds(cmd.Context()))
		},
	}
	c.add(cmd)
	return cmd
}

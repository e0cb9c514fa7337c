package main

import "github.com/spf13/cobra"

// systemCommand is davit-shim system.
func (p *program) systemCommand() *cobra.Command {
	return p.group("system", "look after all that is kept", "", (*program).diskUseCommand, (*program).infoCommand, (*program).pruneCommand)
}

// imageCommand is davit-shim image: its other words are commands of their own.
func (p *program) imageCommand() *cobra.Command {
	group := p.group("image", "look after images", `All but prune is a command of its own, such as images and rmi, and is known here too by
the words of docker image: build, history, import, inspect, load, ls, pull, push, rm,
save and tag.`, (*program).imagePruneCommand)
	return p.also(group, map[string]func(*program) *cobra.Command{
		"build": (*program).buildCommand, "history": (*program).historyCommand, "import": (*program).importCommand,
		"inspect": inspectOf("image"), "load": (*program).loadCommand, "ls": (*program).imagesCommand,
		"list": (*program).imagesCommand, "pull": (*program).pullCommand, "push": (*program).pushCommand,
		"rm": (*program).rmiCommand, "remove": (*program).rmiCommand, "save": (*program).saveCommand, "tag": (*program).tagCommand,
	})
}

// containerCommand is davit-shim container: its other words are commands of their own.
func (p *program) containerCommand() *cobra.Command {
	group := p.group("container", "look after containers", `All but prune is a command of its own, such as ps and run, and is known here too by
the words of docker container, of which ls is ps.`, (*program).containerPruneCommand)
	return p.also(group, map[string]func(*program) *cobra.Command{
		"attach": (*program).attachCommand, "commit": (*program).commitCommand, "cp": (*program).cpCommand, "create": (*program).createCommand,
		"diff": (*program).diffCommand, "exec": (*program).execCommand, "export": (*program).exportCommand, "inspect": inspectOf("container"),
		"kill": (*program).killCommand, "logs": (*program).logsCommand, "ls": (*program).psCommand, "list": (*program).psCommand,
		"ps": (*program).psCommand, "pause": (*program).pauseCommand, "port": (*program).portCommand, "rename": (*program).renameCommand,
		"restart": (*program).restartCommand, "rm": (*program).rmCommand, "remove": (*program).rmCommand, "run": (*program).runCommand,
		"start": (*program).startCommand, "stats": (*program).statsCommand, "stop": (*program).stopCommand, "top": (*program).topCommand,
		"unpause": (*program).unpauseCommand, "update": (*program).updateCommand, "wait": (*program).waitCommand,
	})
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

// inspectOf is inspect of one type alone.
func inspectOf(what string) func(*program) *cobra.Command {
	return func(p *program) *cobra.Command {
		cmd := p.inspectCommand()
		_ = cmd.Flags().Set("type", what) // which is one of its words
		return cmd
	}
}

package main

import "github.com/spf13/cobra"

// commands build what davit-shim can do. A new command is one file and one line
// here.
func commands() []func(*program) *cobra.Command {
	return []func(*program) *cobra.Command{
		(*program).attachCommand,
		(*program).buildCommand,
		(*program).bundleCommand,
		(*program).commitCommand,
		(*program).createCommand,
		(*program).cpCommand,
		(*program).diffCommand,
		(*program).eventsCommand,
		(*program).execCommand,
		(*program).exportCommand,
		(*program).generateCommand,
		(*program).historyCommand,
		(*program).imagesCommand,
		(*program).importCommand,
		(*program).inspectCommand,
		(*program).killCommand,
		(*program).loadCommand,
		(*program).logsCommand,
		(*program).networkCommand,
		(*program).pauseCommand,
		(*program).portCommand,
		(*program).pruneCommand,
		(*program).psCommand,
		(*program).pullCommand,
		(*program).pushCommand,
		(*program).renameCommand,
		(*program).restartCommand,
		(*program).rmCommand,
		(*program).rmiCommand,
		(*program).runCommand,
		(*program).saveCommand,
		(*program).startCommand,
		(*program).statsCommand,
		(*program).stopCommand,
		(*program).tagCommand,
		(*program).unpauseCommand,
		(*program).topCommand,
		(*program).unpackCommand,
		(*program).updateCommand,
		(*program).volumeCommand,
		(*program).waitCommand,
	}
}

package main

import "github.com/spf13/cobra"

// commands build what davit-shim can do. A new command is one file and one line
// here.
func commands() []func(*program) *cobra.Command {
	return []func(*program) *cobra.Command{
		(*program).bundleCommand,
		(*program).commitCommand,
		(*program).createCommand,
		(*program).cpCommand,
		(*program).diffCommand,
		(*program).eventsCommand,
		(*program).exportCommand,
		(*program).historyCommand,
		(*program).imagesCommand,
		(*program).importCommand,
		(*program).inspectCommand,
		(*program).loadCommand,
		(*program).networkCommand,
		(*program).portCommand,
		(*program).psCommand,
		(*program).pullCommand,
		(*program).pushCommand,
		(*program).renameCommand,
		(*program).rmiCommand,
		(*program).saveCommand,
		(*program).tagCommand,
		(*program).unpackCommand,
		(*program).volumeCommand,
	}
}

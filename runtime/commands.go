package main

import (
	"github.com/spf13/cobra"
)

// entry is a command: its name, and how it is built when it is wanted.
type entry struct {
	name  string
	build func(*program) *cobra.Command
}

// commands lists what davit can do, in the order of its help. A new command
// is one file and one line here.
func commands() []entry {
	return []entry{
		{"checkpoint", (*program).checkpointCommand},
		{"create", (*program).createCommand},
		{"delete", (*program).deleteCommand},
		{"events", (*program).eventsCommand},
		{"exec", (*program).execCommand},
		{"features", (*program).featuresCommand},
		{"gc", (*program).gcCommand},
		{"kill", (*program).killCommand},
		{"list", (*program).listCommand},
		{"mounts", (*program).mountsCommand},
		{"pause", (*program).pauseCommand},
		{"plan", (*program).planCommand},
		{"ps", (*program).psCommand},
		{"restore", (*program).restoreCommand},
		{"resume", (*program).resumeCommand},
		{"run", (*program).runCommand},
		{"spec", (*program).specCommand},
		{"start", (*program).startCommand},
		{"state", (*program).stateCommand},
		{"update", (*program).updateCommand},
		{"help", (*program).helpCommand},
	}
}

// command builds the command with this name; nil when there is none.
func (p *program) command(name string) *cobra.Command {
	for _, c := range commands() {
		if c.name == name {
			return c.build(p)
		}
	}
	return nil
}

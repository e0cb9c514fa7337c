package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// group is a command that only holds others: "network", with "network create".
func (p *program) group(word, short, long string, builds ...func(*program) *cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   word + " COMMAND",
		Short: short,
		Long:  long,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			p.printHelp(cmd)
			return nil
		},
	}
	for _, build := range builds {
		p.adopt(cmd, build(p))
	}
	return cmd
}

// also lets a group know commands that stand by themselves, by Docker's words for them
// there: "image ls" is images. Help lists them where they stand.
func (p *program) also(group *cobra.Command, words map[string]func(*program) *cobra.Command) *cobra.Command {
	for word, build := range words {
		cmd := build(p)
		_, arguments, _ := strings.Cut(cmd.Use, " ")
		cmd.Use, cmd.Hidden = strings.TrimSpace(word+" "+arguments), true
		p.adopt(group, cmd)
	}
	return group
}

// adopt adds a command to its parent, with what every command has.
func (p *program) adopt(parent, cmd *cobra.Command) {
	if cmd.Flags().Lookup("help") == nil {
		cmd.Flags().Bool("help", false, "show help")
	}
	p.complete(cmd)
	parent.AddCommand(cmd)
}

// commandOf is the command of a name, or nil.
func commandOf(parent *cobra.Command, word string) *cobra.Command {
	for _, cmd := range parent.Commands() {
		if cmd.Name() == word || cmd.HasAlias(word) {
			return cmd
		}
	}
	return nil
}

// unknownCommand is the error for a word that is no command of parent's.
func unknownCommand(parent *cobra.Command, word string) error {
	return fmt.Errorf("unknown command %q [%s --help lists the commands]", word, parent.CommandPath())
}

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
	var names []string
	for _, c := range parent.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	hint := ""
	if instead := foreignCommands[word]; instead != "" && !parent.HasParent() {
		return fmt.Errorf("unknown command %q [%s]", word, instead)
	}
	if meant := near(word, names); meant != "" {
		hint = "did you mean " + meant + "? "
	}
	return fmt.Errorf("unknown command %q [%s%s --help lists the commands]", word, hint, parent.CommandPath())
}

// foreignCommands are commands of Docker's and Podman's that there are not, with what
// there is instead.
var foreignCommands = map[string]string{
	"compose":  "run makes one container at a time; those of one network find each other by name",
	"search":   "registries are searched with a browser",
	"pod":      "there are no pods: --network, --ipc and --pid join containers",
	"swarm":    "there is no cluster",
	"service":  "there is no cluster; generate systemd has a container started with the machine",
	"stack":    "there is no cluster",
	"node":     "there is no cluster",
	"context":  "there is no daemon, here or elsewhere",
	"plugin":   "there is no daemon with plugins",
	"buildx":   "the command is build",
	"machine":  "containers run on this machine",
	"manifest": "images are of one platform each",
	"secret":   "build has --secret; else mount a file by --volume",
	"kube":     "davit runs pods below containerd and CRI-O",
	"unshare":  "each call enters the user namespace by itself",
}

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// version is davit's version, after Semantic Versioning.
const version = "0.1.0"

// summary is what the program is, in a line.
const summary = "images and containers, without a daemon"

// description is the text above the list of commands.
const description = `davit-shim fetches and builds images, and runs containers of them, with the
words that Docker taught. There is no daemon: a supervisor is there for each
container that runs, and nothing else.

    # davit-shim run hello-world
    # davit-shim run -it --rm debian bash
    # davit-shim run -d --name web -p 8080:80 nginx
    # davit-shim logs web
    # davit-shim stop web

It also makes bundles of images: directories with a root file system and a file
config.json, as davit and other runtimes of the Open Container Initiative take them.

A CONTAINER is a name, or an ID or its beginning. An IMAGE is a name, such as busybox
or registry.example:5000/team/app:1.2, a name with a digest, or an ID or its
beginning. A SOURCE or TARGET is such a name, in a registry, or docker-archive:FILE,
oci-archive:FILE or oci:DIR, each with :NAME behind it if need be.`

// helpCommand shows the help of a command, or of the program.
func (p *program) helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND...]",
		Short: "show the list of commands, or help for one",
		RunE: func(_ *cobra.Command, args []string) error {
			found := root
			for _, word := range args {
				child := commandOf(found, word)
				if child == nil {
					return unknownCommand(found, word)
				}
				found = child
			}
			p.printHelp(found)
			return nil
		},
	}
}

// printHelp shows how the program or a command is used.
func (p *program) printHelp(cmd *cobra.Command) {
	section(p.out, "NAME", "   "+cmd.CommandPath()+" - "+cmd.Short)
	section(p.out, "USAGE", indent(usage(cmd)))
	if cmd.Long != "" {
		section(p.out, "DESCRIPTION", indent(cmd.Long))
	}
	heading := "OPTIONS"
	if !cmd.HasParent() {
		heading = "GLOBAL OPTIONS"
	}
	if cmd.HasAvailableSubCommands() {
		var list strings.Builder
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(&list, "   %-12s%s\n", c.Name(), c.Short)
			}
		}
		section(p.out, "COMMANDS", list.String())
	}
	if cmd.Flags().HasAvailableFlags() {
		section(p.out, heading, cmd.Flags().FlagUsages())
	}
}

// usage is how a command is called, a line for each form.
func usage(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return cmd.Use
	}
	var lines []string
	for form := range strings.SplitSeq(cmd.Use, " | ") {
		arguments := strings.TrimPrefix(form, cmd.Name())
		lines = append(lines, cmd.CommandPath()+" [options]"+arguments)
	}
	return strings.Join(lines, "\n")
}

// section writes a heading and a text, and an empty line between sections.
func section(w io.Writer, heading, text string) {
	fmt.Fprintf(w, "%s:\n%s\n\n", heading, strings.TrimRight(text, "\n"))
}

// indent moves a text to the right, as the sections' contents are.
func indent(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = "   " + line
		}
	}
	return strings.Join(lines, "\n")
}

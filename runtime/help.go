package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// summary is what davit is, in a line.
const summary = "Open Container Initiative runtime"

// description is the text above the list of commands.
func (p *program) description() string {
	return strings.ReplaceAll(`davit makes and runs containers from bundles, as the specification of the Open
Container Initiative has them. A bundle is a directory with a root file system
and a file config.json that says how its program is run. davit keeps no process
of its own beside a container: a supervisor, such as an engine's shim, stays the
parent of what it starts.

To run the bundle in a directory:

    # davit run -b DIR <container-id>

To see what would be done for it, without doing it:

    # davit plan -b DIR <container-id>

"<container-id>" is a name that you choose, unique on the host. Without -b the
bundle is the current directory.`, "davit", p.name)
}

// noHelpTopic is the error for help on a command that does not exist.
// Compat(runc): its text.
func noHelpTopic(name string) error {
	return fmt.Errorf("No help topic for '%s'", name)
}

// helpCommand shows the help of a command, or of davit.
func (p *program) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "show the list of commands, or help for one",
		Args:  p.between(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return p.printHelp()
			}
			return p.helpFor(args)
		},
	}
}

// helpFor shows the help of the command that args begin with.
func (p *program) helpFor(args []string) error {
	cmd := p.command(args[0])
	if cmd == nil {
		return noHelpTopic(args[0])
	}
	p.printCommandHelp(cmd)
	return nil
}

// printHelp shows what davit is and can do.
func (p *program) printHelp() error {
	section(p.out, "NAME", "   "+p.name+" - "+summary)
	section(p.out, "USAGE", "   "+p.name+" [global options] command [options] [arguments]")
	section(p.out, "VERSION", "   "+version)
	section(p.out, "DESCRIPTION", indent(p.description()))
	var list strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&list, "   %-12s%s\n", c.name, c.build(p).Short)
	}
	section(p.out, "COMMANDS", list.String())
	section(p.out, "GLOBAL OPTIONS", p.globals.flags(p.name).FlagUsages())
	return nil
}

// printCommandHelp shows how a command is used.
func (p *program) printCommandHelp(cmd *cobra.Command) {
	cmd.InitDefaultHelpFlag()
	name := p.name + " " + cmd.Name()
	arguments := strings.TrimPrefix(cmd.Use, cmd.Name())
	options := ""
	if cmd.Flags().HasAvailableFlags() {
		options = " [options]"
	}
	section(p.out, "NAME", "   "+name+" - "+cmd.Short)
	section(p.out, "USAGE", "   "+name+options+arguments)
	if cmd.Long != "" {
		section(p.out, "DESCRIPTION", indent(strings.ReplaceAll(cmd.Long, "davit", p.name)))
	}
	if cmd.Flags().HasAvailableFlags() {
		section(p.out, "OPTIONS", cmd.Flags().FlagUsages())
	}
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

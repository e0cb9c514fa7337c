package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// program is one call of davit: where it writes, what its global flags say,
// and its log.
type program struct {
	name     string // the base of argv[0], so that a link named runc speaks of runc
	out, err io.Writer
	globals  globals
	log      *journal
	tracing  tracing
}

// newProgram is the program as it was called, before it has read its flags.
func newProgram(argv0 string) *program {
	return &program{
		name: filepath.Base(argv0),
		out:  os.Stdout,
		err:  os.Stderr,
		log:  newJournal(),
	}
}

// exitStatus is the status of a container's program, which davit run ends
// with. It is not a failure of davit, and nothing is said about it.
type exitStatus int

// Error exists so that a command can return a status.
func (s exitStatus) Error() string {
	return fmt.Sprintf("exit status %d", int(s))
}

// run executes a command line, without the program's name, and gives the exit
// status: 0, 1 for a failure of davit (255 for one of exec), or the status of the
// container's program.
func (p *program) run(args []string) int {
	err := p.execute(args)
	p.writeTrace(err)
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	}
	p.report(err)
	var exec *execFailure
	if errors.As(err, &exec) {
		return exitExecFailure
	}
	return exitFailure
}

// execute reads the global flags, then builds and runs the one command that
// is named: building all of them would cost a tenth of a short run.
func (p *program) execute(args []string) error {
	flags := p.globals.flags(p.name)
	if err := flags.Parse(args); err != nil {
		return p.misuse("%w", err)
	}
	if err := p.configure(flags); err != nil {
		return err
	}
	rest := flags.Args()
	p.startTrace(rest)
	switch {
	case p.globals.version:
		return p.printVersion()
	case len(rest) == 0:
		return p.printHelp()
	case p.globals.help:
		return p.helpFor(rest)
	}
	return p.dispatch(rest)
}

// configure checks the global flags and opens the log that they name.
func (p *program) configure(flags *pflag.FlagSet) error {
	if err := p.globals.check(flags); err != nil {
		return err
	}
	return p.log.configure(&p.globals)
}

// dispatch runs the command that rest begins with.
func (p *program) dispatch(rest []string) error {
	root := p.emptyRoot()
	if isCompletion(rest[0]) {
		root = p.fullRoot()
	} else if cmd := p.command(rest[0]); cmd != nil {
		root.AddCommand(cmd)
	} else {
		return p.unknown(rest)
	}
	root.SetArgs(rest)
	return root.Execute()
}

// emptyRoot is the root of the command tree without its commands. Errors,
// help and their wording are ours; cobra parses and dispatches.
func (p *program) emptyRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           p.name,
		Short:         summary,
		Long:          p.description(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { p.printCommandHelp(cmd) })
	root.SetHelpCommand(p.helpCommand())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return p.misuse("%s: %w", cmd.Name(), err)
	})
	return root
}

// fullRoot is the whole command tree, for shell completion and manual pages.
func (p *program) fullRoot() *cobra.Command {
	root := p.emptyRoot()
	root.TraverseChildren = true // global flags stand before the command
	root.Flags().AddFlagSet(p.globals.flags(p.name))
	for _, c := range commands() {
		cmd := c.build(p)
		p.completeArguments(cmd)
		root.AddCommand(cmd)
	}
	completeFlags(root)
	return root
}

// isCompletion tells whether name is one of cobra's hidden commands, which
// the shells' completion scripts call.
func isCompletion(name string) bool {
	return name == cobra.ShellCompRequestCmd || name == cobra.ShellCompNoDescRequestCmd
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/assembly"
)

// program is one call of davit-shim.
type program struct {
	in       *os.File
	out, err io.Writer
	globals  globals
	inside   bool // in a user namespace that ends with this call
	now      func() time.Time
}

// newProgram is the program as it was called, before it has read its flags.
func newProgram() *program {
	return &program{in: os.Stdin, out: os.Stdout, err: os.Stderr, now: time.Now}
}

// name is what the program is called in what it says.
const name = "davit-shim"

// exitFailure is the exit status of a call that failed.
const exitFailure = 1

// run executes a command line, without the program's name, and gives the exit
// status. An interrupt ends what is being done, cleanly.
func (p *program) run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	root := p.tree()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(p.err, "%s: %s\n", name, oneLine(err.Error()))
	var failed statusError
	if errors.As(err, &failed) {
		return failed.status
	}
	return exitFailure
}

// oneLine joins the lines of a text, each of which is said once. What an image or an
// archive says in an error moves no cursor.
func oneLine(text string) string {
	var lines []string
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && r != '\n' && r != '\r' {
			return ' '
		}
		return r
	}, text)
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = strings.TrimSpace(line)
		if !slices.ContainsFunc(lines, func(said string) bool { return strings.HasSuffix(said, line) }) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// tree is the program with all its commands. Errors, help and their wording are
// ours; cobra parses and dispatches.
func (p *program) tree() *cobra.Command {
	root := &cobra.Command{
		Use:              name + " [global options] command [options] [arguments]",
		Short:            summary,
		Long:             description,
		SilenceErrors:    true,
		SilenceUsage:     true,
		TraverseChildren: true, // global flags stand before the command
		Args:             cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			p.printHelp(cmd)
			return nil
		},
	}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return p.enter(cmd) }
	p.globals.add(root.Flags())
	_ = root.RegisterFlagCompletionFunc("cgroup-manager", cobra.FixedCompletions(assembly.Managers(), cobra.ShellCompDirectiveNoFileComp))
	root.Flags().BoolP("help", "h", false, "show help")
	root.Flags().BoolP("version", "v", false, "print the version")
	root.Version = version
	root.SetVersionTemplate("{{.Name}} version {{.Version}}\n")
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetOut(p.out)
	root.SetErr(p.err)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { p.printHelp(cmd) })
	root.SetFlagErrorFunc(flagError)
	for _, build := range commands() {
		p.adopt(root, build(p))
	}
	root.SetHelpCommand(p.helpCommand(root))
	return root
}

// store opens the store that the global flags name.
func (p *program) store() (*store.Store, error) {
	root, err := p.globals.directory()
	if err != nil {
		return nil, err
	}
	return store.Open(root)
}

// image finds an image in the store.
func (p *program) image(ctx context.Context, ref string) (*store.Store, *store.Image, error) {
	s, err := p.store()
	if err != nil {
		return nil, nil, err
	}
	img, err := s.Get(ctx, ref)
	return s, img, err
}

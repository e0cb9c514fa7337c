package generate

import (
	"bytes"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Program is a program that files are made for.
type Program struct {
	Name    string
	Section int // of its manual pages
	Version string
	Summary string
	// Description is paragraphs; lines with four spaces before them are examples.
	Description string
	// Root has all commands: the completions are made of it.
	Root *cobra.Command
	// Commands have a page each, as have commands below them.
	Commands []*cobra.Command
	Globals  *pflag.FlagSet
	// Defaults are those of flags, by name, that are not what the flags say.
	Defaults   map[string]string
	ExitStatus string
	Files      []File
	// Others are further pages to see, such as "davit (8)".
	Others []string
}

// File is one that a program reads or writes.
type File struct{ Path, Text string }

// files are the contents of all files, by their paths in contrib.
func (p *Program) files() (map[string]string, error) {
	files := map[string]string{}
	for path, write := range map[string]func(*bytes.Buffer) error{
		"completions/" + p.Name + ".bash": func(w *bytes.Buffer) error { return p.Root.GenBashCompletionV2(w, true) },
		"completions/_" + p.Name:          func(w *bytes.Buffer) error { return p.Root.GenZshCompletion(w) },
		"completions/" + p.Name + ".fish": func(w *bytes.Buffer) error { return p.Root.GenFishCompletion(w, true) },
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			return nil, err
		}
		files[path] = out.String()
	}
	files[p.path(p.Name)] = p.mainPage()
	for _, c := range p.Commands {
		p.addPages(files, p.Name, c)
	}
	return files, nil
}

// path is where a page is.
func (p *Program) path(page string) string { return fmt.Sprintf("man/%s.%d", page, p.Section) }

// addPages adds the page of a command, and of those below it.
func (p *Program) addPages(files map[string]string, parent string, c *cobra.Command) {
	name := parent + "-" + c.Name()
	files[p.path(name)] = p.commandPage(name, c)
	for _, below := range c.Commands() {
		if below.IsAvailableCommand() {
			p.addPages(files, name, below)
		}
	}
}

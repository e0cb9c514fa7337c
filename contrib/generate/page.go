package generate

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// page is a manual page that is being written, in man(7).
type page struct {
	strings.Builder
	program *Program
}

// newPage begins a page.
func (p *Program) newPage(name, short string) *page {
	m := &page{program: p}
	fmt.Fprintf(m, ".TH %s %d \"\" \"davit %s\" \"davit\"\n", strings.ToUpper(name), p.Section, p.Version)
	m.section("NAME", "")
	fmt.Fprintf(m, "%s \\- %s\n", escape(name), escape(short))
	return m
}

// section writes a heading and paragraphs; what is indented is an example.
func (m *page) section(heading, text string) {
	fmt.Fprintf(m, ".SH %s\n", heading)
	example, begun := false, false
	for line := range strings.SplitSeq(text, "\n") {
		indented := strings.HasPrefix(line, "    ")
		switch {
		case indented && !example:
			m.WriteString(".RS 4\n.nf\n")
		case !indented && example:
			m.WriteString(".fi\n.RE\n")
		}
		if line == "" && begun && !example {
			m.WriteString(".PP\n")
		}
		if line = strings.TrimSpace(line); line != "" {
			m.WriteString(escape(line) + "\n")
			begun = true
		}
		example = indented
	}
	if example {
		m.WriteString(".fi\n.RE\n")
	}
}

// item writes a word and what is said of it. The word is in man(7) already.
func (m *page) item(word, text string) {
	fmt.Fprintf(m, ".TP\n%s\n%s\n", word, escape(text))
}

// options writes a list of flags.
func (m *page) options(heading string, fs *pflag.FlagSet) {
	if !fs.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(m, ".SH %s\n", heading)
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		word := bold("--" + f.Name)
		if f.Shorthand != "" {
			word = bold("-"+f.Shorthand) + ", " + word
		}
		if value != "" {
			word += " " + italic(value)
		}
		m.item(word, sentence(usage)+m.program.defaultOf(f))
	})
}

// defaultOf is a flag's default, where it has one that tells something.
func (p *Program) defaultOf(f *pflag.Flag) string {
	if text, known := p.Defaults[f.Name]; known {
		return " Default is " + text + "."
	}
	switch f.DefValue {
	case "", "false", "0", "[]", "-1":
		return ""
	}
	if strings.Contains(f.Usage, "(default") {
		return ""
	}
	return " Default is " + f.DefValue + "."
}

// see writes the pages to read too.
func (m *page) see(pages []string) {
	m.section("SEE ALSO", "")
	for i, page := range pages {
		end := ","
		if i == len(pages)-1 {
			end = ""
		}
		fmt.Fprintf(m, ".BR %s%s\n", escape(page), end)
	}
}

// commandPage is the page of one command.
func (p *Program) commandPage(name string, cmd *cobra.Command) string {
	cmd.InitDefaultHelpFlag()
	m := p.newPage(name, cmd.Short)
	m.section("SYNOPSIS", "")
	words := strings.ReplaceAll(strings.TrimPrefix(name, p.Name+"-"), "-", " ")
	for i, form := range strings.Split(strings.ReplaceAll(cmd.Use, "  |  ", " | "), " | ") {
		if i > 0 {
			m.WriteString(".br\n")
		}
		fmt.Fprintf(m, "%s [global options] %s [options]%s\n", bold(p.Name), bold(words), escape(strings.TrimPrefix(form, cmd.Name())))
	}
	if cmd.Long != "" {
		m.section("DESCRIPTION", cmd.Long)
	}
	m.commands(cmd.Commands())
	m.options("OPTIONS", cmd.Flags())
	m.see([]string{fmt.Sprintf("%s (%d)", p.Name, p.Section)})
	return m.String()
}

// commands writes a list of commands, if there are any.
func (m *page) commands(list []*cobra.Command) {
	if len(list) > 0 {
		m.section("COMMANDS", "")
	}
	for _, c := range list {
		if !c.Hidden {
			m.item(bold(c.Name()), sentence(c.Short))
		}
	}
}

// mainPage is the page of the program.
func (p *Program) mainPage() string {
	m := p.newPage(p.Name, p.Summary)
	m.section("SYNOPSIS", "")
	fmt.Fprintf(m, "%s [global options] command [options] [arguments]\n", bold(p.Name))
	m.section("DESCRIPTION", p.Description)
	m.commands(p.Commands)
	m.options("GLOBAL OPTIONS", p.Globals)
	m.section("EXIT STATUS", p.ExitStatus)
	m.section("FILES", "")
	for _, f := range p.Files {
		m.item(italic(f.Path), f.Text)
	}
	var pages []string
	for _, c := range p.Commands {
		pages = append(pages, fmt.Sprintf("%s-%s (%d)", p.Name, c.Name(), p.Section))
	}
	m.see(append(pages, p.Others...))
	return m.String()
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

func bold(text string) string   { return `\fB` + escape(text) + `\fR` }
func italic(text string) string { return `\fI` + escape(text) + `\fR` }

// escape keeps troff from taking text for its own.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

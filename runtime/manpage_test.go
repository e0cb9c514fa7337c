package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// page is a manual page that is being written, in man(7).
type page struct{ strings.Builder }

// newPage begins a page of section 8.
func newPage(name, short string) *page {
	m := &page{}
	fmt.Fprintf(m, ".TH %s 8 \"\" \"davit %s\" \"davit\"\n", strings.ToUpper(name), version)
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
		name := "\\fB\\-\\-" + escape(f.Name) + "\\fR"
		if f.Shorthand != "" {
			name = "\\fB\\-" + f.Shorthand + "\\fR, " + name
		}
		if value != "" {
			name += " \\fI" + escape(value) + "\\fR"
		}
		fmt.Fprintf(m, ".TP\n%s\n%s\n", name, escape(sentence(usage)+defaultOf(f)))
	})
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

// defaultOf is a flag's default, where it has one that tells something. That
// of --root depends on who asks.
func defaultOf(f *pflag.Flag) string {
	switch {
	case f.Name == "root":
		return " Default is " + systemRoot + ", or davit in $XDG_RUNTIME_DIR for a user who is not root."
	case f.DefValue == "" || f.DefValue == "false" || f.DefValue == "0" || f.DefValue == "[]" || strings.Contains(f.Usage, "(default"):
		return ""
	}
	return " Default is " + f.DefValue + "."
}

// escape keeps troff from taking text for its own.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

// commandPage is the page of one command.
func commandPage(cmd *cobra.Command) string {
	cmd.InitDefaultHelpFlag()
	name := "davit-" + cmd.Name()
	m := newPage(name, cmd.Short)
	m.section("SYNOPSIS", "")
	for i, form := range strings.Split(cmd.Use, "  |  ") {
		if i > 0 {
			m.WriteString(".br\n")
		}
		fmt.Fprintf(m, "\\fBdavit\\fR [global options] \\fB%s\\fR [options]%s\n", cmd.Name(), escape(strings.TrimPrefix(form, cmd.Name())))
	}
	if cmd.Long != "" {
		m.section("DESCRIPTION", cmd.Long)
	}
	m.options("OPTIONS", cmd.Flags())
	m.section("SEE ALSO", "")
	m.WriteString(".BR davit (8)\n")
	return m.String()
}

// mainPage is the page of the program.
func mainPage(p *program) string {
	m := newPage("davit", summary)
	m.section("SYNOPSIS", "")
	m.WriteString("\\fBdavit\\fR [global options] command [options] [arguments]\n")
	m.section("DESCRIPTION", p.description())
	m.WriteString(".SH COMMANDS\n")
	for _, c := range commands() {
		fmt.Fprintf(m, ".TP\n\\fB%s\\fR\n%s\n", c.name, escape(sentence(c.build(p).Short)))
	}
	m.options("GLOBAL OPTIONS", p.globals.flags("davit"))
	m.section("EXIT STATUS", `0 when all is done; 1 when davit failed or was called wrongly, 255 when exec did.
run and exec end with the program's status, or with 128 and the number of the
signal that ended it.`)
	m.section("FILES", "")
	fmt.Fprintf(m, ".TP\n\\fI%s\\fR\nThe state of root\\(aqs containers.\n", systemRoot)
	m.section("SEE ALSO", "")
	var others []string
	for _, c := range commands() {
		if c.name != "help" {
			others = append(others, ".BR davit\\-"+c.name+" (8)")
		}
	}
	m.WriteString(strings.Join(others, ",\n") + "\n")
	return m.String()
}

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		`a\b`: `a\eb`, ".x": `\&.x`, "'x": `\(aqx`, "--a": `\-\-a`,
	} {
		if got := escape(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

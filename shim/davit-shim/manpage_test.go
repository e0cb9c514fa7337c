package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// page is a manual page that is being written, in man(7).
type page struct{ strings.Builder }

// newPage begins a page of section 1.
func newPage(title, short string) *page {
	m := &page{}
	fmt.Fprintf(m, ".TH %s 1 \"\" \"davit %s\" \"davit\"\n", strings.ToUpper(title), version)
	m.section("NAME", "")
	fmt.Fprintf(m, "%s \\- %s\n", escape(title), escape(short))
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
		value, usage := pflag.UnquoteUsage(f)
		title := "\\fB\\-\\-" + escape(f.Name) + "\\fR"
		if f.Shorthand != "" {
			title = "\\fB\\-" + f.Shorthand + "\\fR, " + title
		}
		if value != "" {
			title += " \\fI" + escape(value) + "\\fR"
		}
		fmt.Fprintf(m, ".TP\n%s\n%s\n", title, escape(sentence(usage)+defaultOf(f)))
	})
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

// defaultOf is a flag's default, where it has one that tells something.
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "false", "0", "[]", "-1":
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

// allCommands are those of the program, and those of its groups.
func allCommands(cmd *cobra.Command) (all []*cobra.Command) {
	for _, c := range cmd.Commands() {
		all = append(append(all, c), allCommands(c)...)
	}
	return all
}

// pageName is that of a command's page.
func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// commandPage is the page of one command.
func commandPage(cmd *cobra.Command) string {
	m := newPage(pageName(cmd), cmd.Short)
	m.section("SYNOPSIS", "")
	words := strings.TrimPrefix(cmd.CommandPath(), name+" ")
	for i, form := range strings.Split(cmd.Use, " | ") {
		if i > 0 {
			m.WriteString(".br\n")
		}
		fmt.Fprintf(m, "\\fB%s\\fR [global options] \\fB%s\\fR [options]%s\n", escape(name), escape(words), escape(strings.TrimPrefix(form, cmd.Name())))
	}
	if cmd.Long != "" {
		m.section("DESCRIPTION", cmd.Long)
	}
	m.options("OPTIONS", cmd.Flags())
	m.section("SEE ALSO", "")
	m.WriteString(".BR davit\\-shim (1)\n")
	return m.String()
}

// mainPage is the page of the program.
func mainPage(root *cobra.Command) string {
	m := newPage(name, summary)
	m.section("SYNOPSIS", "")
	fmt.Fprintf(m, "\\fB%s\\fR [global options] command [options] [arguments]\n", escape(name))
	m.section("DESCRIPTION", description)
	m.WriteString(".SH COMMANDS\n")
	var pages []string
	for _, c := range allCommands(root) {
		fmt.Fprintf(m, ".TP\n\\fB%s\\fR\n%s\n", escape(strings.TrimPrefix(c.CommandPath(), name+" ")), escape(sentence(c.Short)))
		pages = append(pages, ".BR "+escape(pageName(c))+" (1)")
	}
	m.options("GLOBAL OPTIONS", root.Flags())
	m.section("EXIT STATUS", "0 when all is done; 1 when something was not, or when it was called wrongly.")
	m.section("FILES", "")
	fmt.Fprintf(m, ".TP\n\\fI%s\\fR\nThe images of root.\n.TP\n\\fI$XDG_DATA_HOME/davit\\fR\nThe images of other users.\n", systemRoot)
	m.WriteString(".TP\n\\fI/etc/davit/registries.json\\fR\nMirrors and certificates of registries, and where plain http is allowed.\n")
	m.section("SEE ALSO", "")
	m.WriteString(strings.Join(append(pages, ".BR davit (8)"), ",\n") + "\n")
	return m.String()
}

package listing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"text/tabwriter"
	"text/template"
)

// Column is a field of every row.
type Column struct {
	Name   string // in templates and JSON
	Header string // in tables
}

// Row are the values of one thing, by the names of the columns.
type Row map[string]string

// labelKey is how the keys of labels begin: no column has it, and JSON none of them.
const labelKey = "\x00"

// SetLabels has the row's Label know labels.
func (r Row) SetLabels(labels map[string]string) {
	for name, value := range labels {
		r[labelKey+name] = value
	}
}

// Label is one label of the thing, "" where it has none of the name; in the heading it
// is the name.
// Compat(moby): {{.Label "NAME"}}.
func (r Row) Label(name string) string {
	if _, heading := r[labelKey]; heading {
		return strings.ToUpper(name)
	}
	return r[labelKey+name]
}

// MarshalJSON writes the columns.
func (r Row) MarshalJSON() ([]byte, error) {
	columns := maps.Clone(map[string]string(r))
	maps.DeleteFunc(columns, func(key, _ string) bool { return strings.HasPrefix(key, labelKey) })
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(columns)
	return out.Bytes(), err
}

// Listing is what may be printed.
type Listing struct {
	// Columns are all fields that there are.
	Columns []Column
	// Table is the template of the default table, without "table ".
	Table string
}

// Print prints rows in a format: "" or "table" is the default table, "table
// TEMPLATE" another, "json" an object a line, anything else a template.
// Compat(moby): --format.
func (l Listing) Print(w io.Writer, format string, rows []Row) error {
	text, isTable := strings.CutPrefix(format, "table")
	switch {
	case format == "json":
		return printJSON(w, rows)
	case format == "" || isTable && strings.TrimSpace(text) == "":
		return l.printTable(w, l.Table, rows)
	case isTable:
		return l.printTable(w, strings.TrimSpace(text), rows)
	}
	return printTemplate(w, format, rows)
}

// printJSON prints an object a line.
func printJSON(w io.Writer, rows []Row) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, row := range rows {
		if err := enc.Encode(row); err != nil {
			return err
		}
	}
	return nil
}

// printTable prints a heading and the rows, in columns. A template's tabs
// separate them; one on the command line says "\t" for a tab.
func (l Listing) printTable(w io.Writer, text string, rows []Row) error {
	headers := Row{labelKey: ""}
	for _, c := range l.Columns {
		headers[c.Name] = c.Header
	}
	t := tabwriter.NewWriter(w, 10, 1, 3, ' ', 0)
	if err := printTemplate(t, text, append([]Row{headers}, rows...)); err != nil {
		return err
	}
	return t.Flush()
}

// printTemplate prints a line for each row.
func printTemplate(w io.Writer, text string, rows []Row) error {
	t, err := Template(text)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := Execute(w, t, row); err != nil {
			return err
		}
	}
	return nil
}

// Template reads a template, with the functions that Docker's have.
func Template(text string) (*template.Template, error) {
	text = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(text)
	t, err := template.New("").Option("missingkey=error").Funcs(functions()).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading --format: %w", plain(err))
	}
	return t, nil
}

// Execute writes a line: a template's value of data. What fails leaves nothing half written.
func Execute(w io.Writer, t *template.Template, data any) error {
	var line bytes.Buffer
	if err := t.Execute(&line, data); err != nil {
		return fmt.Errorf("printing by --format: %w", plain(err))
	}
	line.WriteByte('\n')
	_, err := w.Write(line.Bytes())
	return err
}

// plain is the end of a template's error: the beginning says where in a file
// without a name it is.
func plain(err error) error {
	text := err.Error()
	if i := strings.LastIndex(text, ">: "); i >= 0 {
		return errors.New(strings.TrimSpace(text[i+3:]))
	}
	return errors.New(strings.TrimSpace(strings.TrimPrefix(text, "template: ")))
}

// functions are those of Docker's templates.
func functions() template.FuncMap {
	return template.FuncMap{
		"json": func(v any) (string, error) {
			var out bytes.Buffer
			enc := json.NewEncoder(&out)
			enc.SetEscapeHTML(false)
			err := enc.Encode(v)
			return strings.TrimSpace(out.String()), err
		},
		"split": strings.Split,
		"join": func(list any, sep string) string {
			var words []string
			switch l := list.(type) {
			case []string:
				words = l
			case []any:
				for _, x := range l {
					words = append(words, fmt.Sprint(x))
				}
			}
			return strings.Join(words, sep)
		},
		"title": func(s string) string {
			if s == "" {
				return s
			}
			return strings.ToUpper(s[:1]) + s[1:]
		},
		"lower": strings.ToLower, "upper": strings.ToUpper,
		"pad": func(s string, before, after int) string {
			if s == "" {
				return s
			}
			return strings.Repeat(" ", max(before, 0)) + s + strings.Repeat(" ", max(after, 0))
		},
		"truncate": func(s string, n int) string { return s[:min(max(n, 0), len(s))] },
	}
}

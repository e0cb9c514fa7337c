package listing

import (
	"strings"
	"testing"
	"time"
)

var things = Listing{
	Columns: []Column{{"ID", "THING ID"}, {"Name", "NAME"}},
	Table:   "{{.ID}}\t{{.Name}}",
}

var rows = []Row{{"ID": "0123456789ab", "Name": "one"}, {"ID": "cdef", "Name": "<two>"}}

func TestPrint(t *testing.T) {
	rows[0].SetLabels(map[string]string{"tier": "front,<2>"})
	for _, tt := range []struct{ name, format, want string }{
		{"default", "", "THING ID       NAME\n0123456789ab   one\ncdef           <two>\n"},
		{"table", "table", "THING ID       NAME\n0123456789ab   one\ncdef           <two>\n"},
		{"another table", `table {{.Name}}\t{{.ID}}`, "NAME      THING ID\none       0123456789ab\n<two>     cdef\n"},
		{"template", "{{.ID}}={{.Name | upper}}", "0123456789ab=ONE\ncdef=<TWO>\n"},
		{"JSON", "json", "{\"ID\":\"0123456789ab\",\"Name\":\"one\"}\n{\"ID\":\"cdef\",\"Name\":\"<two>\"}\n"},
		{"JSON in a template", "{{json .}}", "{\"ID\":\"0123456789ab\",\"Name\":\"one\"}\n{\"ID\":\"cdef\",\"Name\":\"<two>\"}\n"},
		{"labels", `table {{.Name}}\t{{.Label "tier"}}`, "NAME      TIER\none       front,<2>\n<two>     \n"},
		{"functions", `{{truncate .ID 2}}{{pad .Name 1 1}}{{join (split .Name "n") "-"}}{{title .Name}}{{lower "A"}}`, "01 one o-eOnea\ncd <two> <two><two>a\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			if err := things.Print(&out, tt.format, rows); err != nil || out.String() != tt.want {
				t.Errorf("got %q, %v, want %q", out.String(), err, tt.want)
			}
		})
	}
}

func TestWrongFormats(t *testing.T) {
	for format, want := range map[string]string{
		"{{.Size}}": `map has no entry for key "Size"`, "{{.ID": "unclosed action", "{{nope .ID}}": `"nope" not defined`,
	} {
		var out strings.Builder
		err := things.Print(&out, format, rows)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || out.Len() > 0 {
			t.Errorf("%s: got %v and %q", format, err, out.String())
		}
	}
}

func TestFilters(t *testing.T) {
	f, err := ParseFilters([]string{"label=a", "label=b=c", "dangling=TRUE", "name=x", "name=y"}, "label", "dangling", "name", "since")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		labels map[string]string
		want   bool
	}{
		{map[string]string{"a": "", "b": "c"}, true}, {map[string]string{"a": "", "b": "d"}, false}, {map[string]string{"b": "c"}, false}, {nil, false},
	} {
		if got := f.Labels(tt.labels); got != tt.want {
			t.Errorf("%v: got %v", tt.labels, got)
		}
	}
	if v, given, err := f.Bool("dangling"); !v || !given || err != nil {
		t.Errorf("got %v, %v, %v", v, given, err)
	}
	if _, given, _ := f.Bool("since"); given {
		t.Error("since was not given")
	}
	is := func(want string) func(string) bool { return func(v string) bool { return v == want } }
	if !f.Any("name", is("y")) || f.Any("name", is("z")) || !f.Any("since", is("z")) {
		t.Error("alternatives")
	}
	for _, wrong := range []string{"label", "colour=red"} {
		if _, err := ParseFilters([]string{wrong}, "label"); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
	if _, _, err := (Filters{"dangling": {"perhaps"}}).Bool("dangling"); err == nil {
		t.Error("perhaps is taken")
	}
}

func TestText(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ got, want string }{
		{Short("sha256:0123456789abcdef"), "0123456789ab"}, {Short("0123456789abcdef"), "0123456789ab"}, {Short("ab"), "ab"},
		{Ago(now.Add(-3*24*time.Hour), now), "3 days ago"}, {Ago(time.Time{}, now), "N/A"}, {At(time.Time{}), "N/A"},
		{Size(0), "0B"}, {Size(1234567), "1.23MB"}, {Size(999), "999B"},
		{Cut("äbcdef", 4), "äbc…"}, {Cut("äbcd", 4), "äbcd"}, {Line("a\x1b[31m\tb\u009bc"), "a [31m b c"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestParseContext(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"recorded", parent, ""},
		{"not recorded", parent[:53] + "00", ""},
		{"newer version", "01" + parent[2:] + "-more", ""},
		{"newer version that ends", "cc" + parent[2:], ""},
		{"empty", "", "too few"},
		{"cut", parent[:54], "too few"},
		{"more", parent + "-00", "goes on after its flags"},
		{"space", parent + " ", "goes on after its flags"},
		{"newer version with more flags", "01" + parent[2:] + "00", "goes on after its flags"},
		{"forbidden version", "ff" + parent[2:], "version ff"},
		{"capitals", strings.ToUpper(parent), "lower-case"},
		{"no hex", "0x" + parent[2:], "lower-case"},
		{"zero trace", "00-" + strings.Repeat("0", 32) + parent[35:], "an id is zero"},
		{"zero span", parent[:36] + strings.Repeat("0", 16) + "-01", "an id is zero"},
		{"shifted", "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01", "lower-case"},
		{"other separators", strings.ReplaceAll(parent, "-", "_"), "four fields"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := ParseContext(tt.text)
			switch {
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %s", err, tt.want)
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want == "" && c.String()[2:] != tt.text[2:headerLen]:
				t.Errorf("got %s", c)
			}
		})
	}
}

func FuzzParseContext(f *testing.F) {
	f.Add(parent)
	f.Add("01" + parent[2:] + "-x")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseContext(text)
		if err != nil {
			return
		}
		if again, err := ParseContext(c.String()); err != nil || again != c {
			t.Errorf("%q: got %v, %v", text, again, err)
		}
	})
}

func TestNilRecordsNothing(t *testing.T) {
	var r *Recorder
	r.Start("a").End(nil)
	r.Step("a", "b", 1, 2)
	if allocs := testing.AllocsPerRun(10, func() { r.Start("a").End(nil) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestWrite(t *testing.T) {
	from, err := ParseContext(parent)
	if err != nil {
		t.Fatal(err)
	}
	r := New("davit create", from)
	outer := r.Start("outer")
	r.Start("left open")
	r.Step("mounting proc", "new-fs", 1_000_000_000_000_000_001, 1_000_000_000_000_001_002)
	outer.End(errors.New("broken"))
	r.Start("next").End(nil)
	var out bytes.Buffer
	if err := r.Write(&out, 7, nil, map[string]string{"command": "create"}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"ts": 1000000000000000.001`) || !strings.Contains(out.String(), `"dur": 1.001`) {
		t.Errorf("the step's time is not in it:\n%s", &out)
	}
	type plain struct {
		Events []struct {
			Name, Ph string
			Ts, Dur  float64
			Args     map[string]string
		} `json:"traceEvents"`
	}
	var p plain
	if err := json.Unmarshal(out.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	byName := map[string]map[string]string{}
	for _, e := range p.Events {
		byName[e.Name] = e.Args
		if e.Ph == "X" && (e.Args["traceId"] != "0af7651916cd43dd8448eb211c80319c" || e.Dur < 0 || e.Ts == 0) {
			t.Errorf("got %+v", e)
		}
	}
	root := byName["davit create"]["spanId"]
	for name, want := range map[string]string{
		"davit create": "b7ad6b7169203331", "outer": root, "left open": byName["outer"]["spanId"], "next": root, "mounting proc": root,
	} {
		if got := byName[name]["parentSpanId"]; got != want {
			t.Errorf("%s: parent is %s, want %s", name, got, want)
		}
	}
	if byName["outer"]["error"] != "broken" || byName["mounting proc"]["op"] != "new-fs" {
		t.Errorf("got %v", byName)
	}
	if c := r.Context(); c.Trace != from.Trace || c.String()[36:52] != root {
		t.Errorf("context is %s", c)
	}
}

package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/davit-containers/davit/libcontainer"
)

// referenceState is the shape of a state, for encoding/json.
type referenceState struct {
	Version     string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Pid         int               `json:"pid"`
	Status      string            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Owner       string            `json:"owner"`
}

// TestAppendState compares with what encoding/json makes of the same values.
func TestAppendState(t *testing.T) {
	created := time.Date(2026, 3, 14, 15, 9, 26, 535897932, time.UTC)
	tests := []struct {
		name  string
		state libcontainer.State
	}{
		{"empty", libcontainer.State{}},
		{"running", libcontainer.State{
			Version: "1.3.0", ID: "web-1", Pid: 4711, Status: libcontainer.Running,
			Bundle: "/bundles/web", Rootfs: "/bundles/web/rootfs", Created: created, Owner: "root",
		}},
		{"with annotations", libcontainer.State{
			Version: "1.3.0", ID: "a", Status: libcontainer.Stopped, Created: created.Truncate(time.Second),
			Annotations: map[string]string{"z": "last", "a": `<b>&"quoted"\`, "m": "\u2028\x00\xff\n"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.state
			reference := referenceState{s.Version, s.ID, s.Pid, string(s.Status), s.Bundle, s.Rootfs, s.Created, s.Annotations, s.Owner}
			want, err := json.MarshalIndent(reference, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if got := appendState(nil, &s, pretty); string(got) != string(want) {
				t.Errorf("pretty:\ngot  %s\nwant %s", got, want)
			}
			want, _ = json.Marshal(reference)
			if got := appendState(nil, &s, compact); string(got) != string(want) {
				t.Errorf("compact:\ngot  %s\nwant %s", got, want)
			}
		})
	}
}

func FuzzAppendQuoted(f *testing.F) {
	for _, seed := range []string{"", "plain", "\"\\\b\f\n\r\t\x00\x1f\x7f", "<&>\u2028\u2029", "\xff\xc3\x28", "日本語"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		if err != nil {
			t.Skip(err)
		}
		if got := appendQuoted(nil, s); string(got) != string(want) {
			t.Errorf("quoting %q: got %s, want %s", s, got, want)
		}
	})
}

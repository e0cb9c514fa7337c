package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func full() *State {
	return &State{
		OCIVersion: "1.3.0", ID: "box", Phase: Created,
		Bundle: "/b/\"quoted\" \\ \x01 é", Rootfs: "/not\xffutf8",
		Created: time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC), Owner: 4294967294,
		Annotations: map[string]string{"b": "2\n", "a": "", "": "x"},
		Pid:         4194304, PidStart: 1 << 63, CreatorPid: 2, CreatorStart: 3, NoNewKeyring: true,
		TimeNamespace: true, Descriptors: []byte(`["pipe:[1]","",""]`),
		Cgroup: []byte(`{"a":"}\"]"}`), IntelRdt: []byte(`null`), StartSteps: []byte(`[1, "x"]`), Updated: []byte(`{}`),
		Config: []byte("{\n \"ociVersion\": \"1.3.0\"\n}\n"),
	}
}

// file is the state as it stands in a file.
func file(s *State) []byte { return bytes.Join(encode(s), nil) }

func TestRoundTrip(t *testing.T) {
	tests := []struct {
		name string
		s    *State
	}{
		{"every field", full()},
		{"only an id", &State{ID: "a", Created: time.Unix(0, 0).UTC()}},
		{"config that is no JSON", &State{ID: "a", Created: time.Unix(0, 0).UTC(), Config: []byte(`{}, "id": "b"}`)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decode(file(tt.s))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.s) {
				t.Errorf("got  %+v\nwant %+v", got, tt.s)
			}
		})
	}
}

func TestEncodeIsJSON(t *testing.T) {
	var got map[string]any
	if err := json.Unmarshal(file(full()), &got); err != nil {
		t.Fatal(err)
	}
	if got["id"] != "box" || got["bundle"] != full().Bundle || got["phase"] != "created" {
		t.Errorf("got %v", got)
	}
}

func TestDecodeForeignOrder(t *testing.T) {
	got, err := decode([]byte(` { "new" : [ {"a":"]"} , true ] , "annotations":{ }, "phase":"running",
		"id":"box","pid" : 7, "owner":0, "bundle":"\/a\tb\u00e9\ud83d\ude00","config":{"a":1} } `))
	if err != nil {
		t.Fatal(err)
	}
	want := &State{ID: "box", Phase: Running, Pid: 7, Bundle: "/a\tbé😀",
		Annotations: map[string]string{}, Config: []byte(`{"a":1} `)}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDecodeErrors(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"empty", "", `offset 0: want '{', got '\x00'`},
		{"no object", "[]", `offset 0: want '{', got '['`},
		{"cut in a key", `{"i`, "offset 3: string without an end"},
		{"cut in a value", `{"id":"a`, "offset 8: string without an end"},
		{"cut behind a value", `{"id":"a"`, `offset 9: want '}', got '\x00'`},
		{"cut in an unknown value", `{"x":[1,"`, "offset 8: string without an end"},
		{"cut in the config", `{"id":"a","config":{"x":1`, "offset 19: the end is missing"},
		{"number as a string", `{"pid":"1"}`, "offset 7: want a number"},
		{"number of 65 bits", `{"pidStart":99999999999999999999}`, "offset 32: want a number"},
		{"pid of 64 bits", `{"pid":18446744073709551615}`, "offset 27: 18446744073709551615 is too large"},
		{"string as a number", `{"id":1}`, `offset 6: want '"', got '1'`},
		{"control character", "{\"id\":\"\n\"}", "offset 7: control character in a string"},
		{"unknown escape", `{"id":"\x"}`, "offset 9: unknown escape 'x'"},
		{"short escape", `{"id":"\u12"}`, "offset 9: want four hexadecimal digits"},
		{"no time", `{"created":"yesterday"}`, "parsing time"},
		{"no value", `{"x":}`, "offset 5: want a value"},
		{"no id", `{}`, "names no container"},
		{"impossible id", `{"id":"../x"}`, "names no container"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decode([]byte(tt.data))
			if !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestDecodeNewerFormat(t *testing.T) {
	_, err := decode([]byte(`{"format":2,"id":{}}`))
	if err == nil || errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), "format 2 is newer") {
		t.Errorf("got %v", err)
	}
}

// Every prefix of a file is refused: none passes for a whole state.
func TestDecodePrefixes(t *testing.T) {
	s := full()
	s.Config = nil
	data := file(s)
	for n := range len(data) - 1 {
		if _, err := decode(data[:n]); !errors.Is(err, ErrIncomplete) {
			t.Fatalf("%d of %d bytes: got %v", n, len(data), err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(file(full()))
	f.Add([]byte(`{"x":[[{"a":"\""}]],"id":"a","annotations":{"\ud83d":"\ud83d\u0041"},"config":}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decode(data)
		if err != nil {
			return
		}
		again, err := decode(file(s))
		if err != nil {
			t.Fatalf("%v: %q", err, file(s))
		}
		if len(s.Annotations) == 0 {
			s.Annotations, again.Annotations = nil, nil
		}
		if s.Config == nil {
			again.Config = nil
		}
		normalize(s)
		normalize(again)
		if !reflect.DeepEqual(again, s) {
			t.Errorf("got  %+v\nwant %+v", again, s)
		}
	})
}

// normalize makes an empty raw value nothing, as the encoder does.
func normalize(s *State) {
	for _, raw := range []*[]byte{&s.Cgroup, &s.IntelRdt, &s.StartSteps, &s.Config} {
		if len(*raw) == 0 {
			*raw = nil
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	s := full()
	s.Config = make([]byte, 60<<10)
	data := file(s)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	s := full()
	b.ReportAllocs()
	for b.Loop() {
		encode(s)
	}
}

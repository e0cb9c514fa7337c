package spec

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// specModule is the folder of the runtime-spec module, which holds the
// specification's text and examples beside its Go types.
func specModule(tb testing.TB) string {
	tb.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/opencontainers/runtime-spec").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		tb.Skip("no module cache with the runtime-spec module's own files")
	}
	return dir
}

// exampleFiles are configurations by others: the specification's and runc's.
func exampleFiles(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		tb.Fatalf("testdata: %v, %d files", err, len(files))
	}
	more, err := filepath.Glob(specModule(tb) + "/schema/test/*/*/*.json")
	if err != nil || len(more) == 0 {
		tb.Fatalf("the module's examples: %v, %d files", err, len(more))
	}
	return append(files, more...)
}

// checkSame decodes with both decoders and compares.
func checkSame[T any](t *testing.T, data []byte, decode func([]byte) (*T, error)) {
	t.Helper()
	want := new(T)
	wantErr := json.Unmarshal(data, want)
	got, err := decode(data)
	switch {
	case err != nil && wantErr == nil:
		if !stricter(err, data) {
			t.Errorf("%.200q: refused (%v), encoding/json accepts it", data, err)
		}
	case err == nil && wantErr != nil:
		t.Errorf("%.200q: accepted, encoding/json refuses it (%v)", data, wantErr)
	case err == nil && !reflect.DeepEqual(got, want):
		t.Errorf("%.200q:\ngot  %#v\nwant %#v", data, got, want)
	}
	if err != nil && (strings.ContainsAny(err.Error(), "\n\r") || len(err.Error()) > 1000) {
		t.Errorf("%.200q: the error is not one short line: %q", data, err)
	}
}

// stricter tells whether a refusal is one of those that Decode's comment names.
func stricter(err error, data []byte) bool {
	var e *DecodeError
	if !errors.As(err, &e) {
		return false
	}
	notObject := strings.TrimLeft(string(data), " \t\r\n")[0] != '{'
	return notObject || strings.HasPrefix(e.Reason, "nested deeper") || strings.HasPrefix(e.Reason, "more than")
}

func TestDecodeExamplesLikeEncodingJSON(t *testing.T) {
	for _, file := range exampleFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			checkSame(t, data, Decode)
			checkSame(t, data, DecodeProcess)
			checkSame(t, data, DecodeResources)
		})
	}
}

// fill sets everything that a value reaches to something that is not zero.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, key := range []string{"", "a.b", "ü\n\"<>&\u2028"} {
			element := reflect.New(v.Type().Elem()).Elem()
			fill(element, n)
			v.SetMapIndex(reflect.ValueOf(key), element)
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf(map[string]any{"x": []any{"y", 1.5, true, nil, map[string]any{}}}))
	case reflect.String:
		v.SetString("s\t\\\"/<ü>\u2029\U0001F600" + strconv.Itoa(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(-1 << (v.Type().Bits() - 1))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1<<v.Type().Bits() - 1)
	default:
		panic("unexpected " + v.Type().String())
	}
}

// maximal is a configuration with every field set.
func maximal(tb testing.TB) *specs.Spec {
	tb.Helper()
	s, n := new(specs.Spec), 0
	fill(reflect.ValueOf(s).Elem(), &n)
	if n < 500 {
		tb.Fatalf("only %d values filled", n)
	}
	return s
}

func TestDecodeMaximal(t *testing.T) {
	want := maximal(t)
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v\nwant %#v", got, want)
	}
	checkSame(t, data, Decode)
	checkSame(t, []byte(strings.ToUpper(string(data))), Decode)
	process, _ := json.Marshal(want.Process)
	checkSame(t, process, DecodeProcess)
	resources, _ := json.Marshal(want.Linux.Resources)
	checkSame(t, resources, DecodeResources)
}

// TestDecodeTruncated cuts a configuration at every byte.
func TestDecodeTruncated(t *testing.T) {
	data, err := os.ReadFile("testdata/runc-spec.json")
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		_, err := Decode(data[:n])
		var e *DecodeError
		switch {
		case !errors.As(err, &e):
			t.Errorf("%d bytes: got %v", n, err)
		case n == 0 && e.Reason != "the text is empty":
			t.Errorf("no bytes: got %q", e.Reason)
		case n > 0 && (e.Reason != "the text is truncated" || e.Offset != n):
			t.Errorf("%d bytes: got %q at %d", n, e.Reason, e.Offset)
		}
	}
}

// oddities are documents on which decoders differ.
var oddities = []string{
	``, ` `, `null`, `[]`, `"x"`, `1`, `{}`, ` { } `, `{}x`, `{} {}`, `{},`, `{`, `}`, "\ufeff{}", "{}\x00", "\x00",
	`{"root":null}`, `{"root":{}}`, `{"root":[]}`, `{"root":{"path":null}}`, `{"root":{"path":"a"},"root":null}`,
	`{"root":{"path":"a"},"root":{"readonly":true}}`, `{"root":{"path":"a","path":null}}`, `{"root":{"path":"a","path":"b"}}`,
	`{"OCIVERSION":"1"}`, `{"ociversion":"1","ociVersion":"2"}`, `{"ociVersion":"2","ociversion":"1"}`,
	`{"hoſtname":"x"}`, `{"Hoſtname":"x","hostname":"y"}`, "{\"host\u212aname\":1}", `{"linux":{"resources":{"networK":{}}}}`,
	`{"\u0072oot":{"path":"a"}}`, `{"":1}`, `{"a":{"b":[1,2,{"c":null}]},"hostname":"h"}`, `{"hostname":"a" "x":1}`,
	`{"hostname":"a",}`, `{,}`, `{"hostname"}`, `{"hostname":}`, `{hostname:"a"}`, `{'hostname':"a"}`, `{"hostname":"a";}`,
	`{"hostname":tru}`, `{"hostname":nul}`, `{"hostname":nulls}`, `{"process":{"terminal":true}}`, `{"process":{"terminal":false}}`,
	`{"process":{"terminal":truex}}`, `{"process":{"terminal":"true"}}`, `{"process":{"terminal":1}}`, `{"process":{"terminal":null}}`,
	`{"process":{"args":[]}}`, `{"process":{"args":null}}`, `{"process":{"args":[null]}}`, `{"process":{"args":["a",null,"b"]}}`,
	`{"process":{"args":["a",]}}`, `{"process":{"args":[,]}}`, `{"process":{"args":["a" "b"]}}`, `{"process":{"args":{}}}`,
	`{"process":{"args":["a","b","c"],"args":["d"],"args":[null,null,null,null]}}`,
	`{"process":{"args":["a","b"],"args":[],"args":[null,null]}}`, `{"process":{"args":["a","b"],"args":null,"args":[null,null]}}`,
	`{"mounts":[{"type":"a"},{"type":"b"}],"mounts":[{}],"mounts":[{},{},{}]}`,
	`{"mounts":[{"options":["x","y"]}],"mounts":[{"options":[null]}],"mounts":[{"options":[null,null]}]}`,
	`{"annotations":{"a":"b"},"annotations":{"c":"d"}}`, `{"annotations":{"a":"b","a":null}}`, `{"annotations":{"a":null}}`,
	`{"annotations":{"a":"b"},"annotations":null,"annotations":{"c":"d"}}`, `{"annotations":{}}`, `{"annotations":{"a":1}}`,
	`{"linux":{"netDevices":{"a":{"name":"x"},"b":{},"a":{}}}}`, `{"linux":{"netDevices":{"a":null}}}`,
	`{"linux":{"devices":[{"fileMode":438,"uid":null}]}}`, `{"linux":{"devices":[{"fileMode":-1}]}}`, `{"linux":{"devices":[{"fileMode":4294967296}]}}`,
	`{"linux":{"resources":{"memory":{"limit":1,"limit":null}}}}`, `{"linux":{"resources":{"memory":{"limit":1},"memory":{"swap":2}}}}`,
	`{"linux":{"resources":{"blockIO":{"weightDevice":[{"major":1,"MINOR":2,"weight":65535}]}}}}`,
	`{"linux":{"resources":{"blockIO":{"weight":65536}}}}`, `{"linux":{"resources":{"blockIO":{"weight":-0}}}}`,
	`{"process":{"oomScoreAdj":-0}}`, `{"process":{"oomScoreAdj":1.0}}`, `{"process":{"oomScoreAdj":1e2}}`, `{"process":{"oomScoreAdj":01}}`,
	`{"process":{"oomScoreAdj":+1}}`, `{"process":{"oomScoreAdj":-}}`, `{"process":{"oomScoreAdj":1.}}`, `{"process":{"oomScoreAdj":.1}}`,
	`{"process":{"oomScoreAdj":1e}}`, `{"process":{"oomScoreAdj":1e+}}`, `{"process":{"oomScoreAdj":9223372036854775807}}`,
	`{"process":{"oomScoreAdj":9223372036854775808}}`, `{"process":{"oomScoreAdj":-9223372036854775808}}`, `{"process":{"oomScoreAdj":"1"}}`,
	`{"process":{"oomScoreAdj":0x1}}`, `{"process":{"oomScoreAdj":1_000}}`, `{"process":{"oomScoreAdj":NaN}}`, `{"process":{"oomScoreAdj":1 2}}`,
	`{"process":{"user":{"uid":4294967295}}}`, `{"process":{"user":{"uid":4294967296}}}`, `{"process":{"user":{"uid":-1}}}`,
	`{"process":{"rlimits":[{"hard":18446744073709551615}]}}`, `{"process":{"rlimits":[{"hard":18446744073709551616}]}}`,
	`{"x":1e999,"hostname":"a"}`, `{"x":-0.1E-7}`, `{"x":00}`, `{"x":1e}`, `{"x":"\x"}`, `{"x":[1,]}`, `{"x":{"a"}}`, `{"x":[}`, `{"x":{]}`, `{"x":@}`,
	`{"hostname":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac"}`, `{"hostname":"\ud83d\ude00"}`, `{"hostname":"\ud83d"}`, `{"hostname":"\ude00\ud83d"}`,
	`{"hostname":"\ud83d\u0041"}`, `{"hostname":"\ud83d\ud83d\ude00"}`, `{"hostname":"\ud83dx"}`, `{"hostname":"\uD83D\uDE00"}`, `{"hostname":"\u12"}`,
	`{"hostname":"\u12g4"}`, `{"hostname":"\u1`, `{"hostname":"\`, `{"hostname":"\'"}`, `{"hostname":"\a"}`, `{"hostname":"\U00000041"}`, "{\"hostname\":\"\\\n\"}",
	"{\"hostname\":\"a\nb\"}", "{\"hostname\":\"a\tb\"}", "{\"hostname\":\"\x7f\"}", "{\"hostname\":\"\x00\"}", `{"hostname":"\u0000"}`,
	"{\"hostname\":\"\xff\"}", "{\"hostname\":\"a\xc3\"}", "{\"hostname\":\"\xed\xa0\x80\"}", "{\"hostname\":\"\xf4\x90\x80\x80\"}", "{\"hostname\":\"\xe2\x82\"}",
	"{\"host\xffname\":\"a\"}", "{\"annotations\":{\"\xff\":\"a\",\"\ufffd\":\"b\"}}", "{\"\xff\":1}", "\xff", "{\"hostname\":\xff}", "{\"hostname\":\u00a0\"a\"}",
	`{"windows":{"credentialSpec":null}}`, `{"windows":{"credentialSpec":{"a":[1,"x",true,false,null,{},[]],"a":2.5e3}}}`,
	`{"windows":{"credentialSpec":1e999}}`, `{"windows":{"credentialSpec":[1e400]}}`, `{"windows":{"credentialSpec":"s","credentialSpec":null}}`,
	`{"windows":{"credentialSpec":{"a":1},"credentialSpec":{"b":2}}}`, `{"windows":{"credentialSpec":-0}}`, `{"windows":{"credentialSpec":tru}}`,
	`{"freebsd":{"devices":[{"mode":511}]}}`, `{"vm":{"hwconfig":{"iomems":[{"firstMFN":1}]}}}`, `{"zos":{"namespaces":[{"type":"pid"}]}}`,
}

func TestDecodeOdditiesLikeEncodingJSON(t *testing.T) {
	for _, document := range oddities {
		checkSame(t, []byte(document), Decode)
	}
}

func TestDecodeErrors(t *testing.T) {
	deep, long := strings.Repeat(`{"x":`, 65), strings.Repeat("7", 100)
	tests := []struct {
		name, document, want string
	}{
		{"wrong kind", `{"process":{"args":["a",1]}}`, `config.json: process.args[1]: expected a string, got a number (byte 24)`},
		{"not an object", `null`, `config.json: expected an object, got null (byte 0)`},
		{"empty", ``, `config.json: the text is empty (byte 0)`},
		{"only space", " \n", `config.json: the text is empty (byte 2)`},
		{"truncated string", `{"process":{"cwd":"/ro`, `config.json: process.cwd: the text is truncated (byte 22)`},
		{"truncated object", `{"process":{"cwd":"/"`, `config.json: process.cwd: the text is truncated (byte 21)`},
		{"truncated word", `{"process":{"terminal":tr`, `config.json: process.terminal: the text is truncated (byte 25)`},
		{"trailing data", `{} {}`, `config.json: expected nothing more, got an object (byte 3)`},
		{"object for list", `{"mounts":{}}`, `config.json: mounts: expected an array, got an object (byte 10)`},
		{"list for object", `{"linux":{"resources":[]}}`, `config.json: linux.resources: expected an object, got an array (byte 22)`},
		{"string for boolean", `{"root":{"readonly":"yes"}}`, `config.json: root.readonly: expected a boolean, got a string (byte 20)`},
		{"string for number", `{"process":{"user":{"uid":"0"}}}`, `config.json: process.user.uid: expected a number, got a string (byte 26)`},
		{"fraction", `{"process":{"oomScoreAdj":1.5}}`, `config.json: process.oomScoreAdj: expected a whole number, got 1.5 (byte 26)`},
		{"out of range", `{"process":{"user":{"uid":4294967296}}}`, `config.json: process.user.uid: 4294967296 is out of range (byte 26)`},
		{"negative", `{"process":{"user":{"uid":-1}}}`, `config.json: process.user.uid: -1 is out of range (byte 26)`},
		{"folded name", `{"Process":{"ARGS":1}}`, `config.json: process.args: expected an array, got a number (byte 19)`},
		{"map key", `{"linux":{"sysctl":{"net.ipv4.x":1}}}`, `config.json: linux.sysctl["net.ipv4.x"]: expected a string, got a number (byte 33)`},
		{"unknown member", `{"x y":{"é":[tru]}}`, `config.json: "x y"."é"[0]: expected a value, got "t" (byte 14)`},
		{"missing comma", `{"mounts":[{} {}]}`, `config.json: mounts[0]: expected "," or "]", got an object (byte 14)`},
		{"missing name", `{"hostname":"a",}`, `config.json: expected a name in quotes, got "}" (byte 16)`},
		{"missing colon", `{"hostname" "a"}`, `config.json: hostname: expected ":", got a string (byte 12)`},
		{"control character", "{\"hostname\":\"a\nb\"}", `config.json: hostname: control character '\n' in a string (byte 14)`},
		{"unknown escape", `{"hostname":"a\'"}`, `config.json: hostname: unknown escape "\\'" in a string (byte 14)`},
		{"bad unicode escape", `{"hostname":"\u12x4"}`, `config.json: hostname: \u needs four hexadecimal digits (byte 13)`},
		{"not UTF-8 outside a string", "{\"hostname\":\xff}", `config.json: hostname: expected a string, got "\xff" (byte 12)`},
		{"word for list", `{"mounts":true}`, `config.json: mounts: expected an array, got a boolean (byte 10)`},
		{"no digit", `{"process":{"oomScoreAdj":-x}}`, `config.json: process.oomScoreAdj: expected a digit, got "x" (byte 27)`},
		{"truncated number", `{"process":{"oomScoreAdj":1.`, `config.json: process.oomScoreAdj: the text is truncated (byte 28)`},
		{"long number", `{"x":` + long + `,"process":{"oomScoreAdj":` + long + `}}`, `config.json: process.oomScoreAdj: ` + long[:64] + `... is out of range (byte 131)`},
		{"long name", `{"` + long + `":}`, `config.json: "` + long[:64] + `"...: expected a value, got "}" (byte 104)`},
		{"null and then a mistake", `{"process":{"oomScoreAdj":null}]`, `config.json: process: expected "," or "}", got "]" (byte 31)`},
		{"too deep", deep, `config.json: ` + strings.Repeat("x.", 63) + `x: nested deeper than 64 levels (byte 320)`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Decode([]byte(test.document))
			if err == nil || err.Error() != test.want || got != nil {
				t.Errorf("got %v, %v\nwant %s", got, err, test.want)
			}
		})
	}
}

func TestDecodeDepth(t *testing.T) {
	for _, open := range []string{`{"x":`, `[`} {
		shut := map[string]string{`[`: `]`}[open]
		if shut == "" {
			shut = `}`
		}
		document := `{"x":` + strings.Repeat(open, 63) + `1` + strings.Repeat(shut, 63) + `}`
		if _, err := Decode([]byte(document)); err != nil {
			t.Errorf("64 levels: %v", err)
		}
		document = `{"x":` + strings.Repeat(open, 1<<20)
		if _, err := Decode([]byte(document)); err == nil || !strings.Contains(err.Error(), "nested deeper than 64 levels") {
			t.Errorf("a million levels: %v", err)
		}
	}
}

func TestDecodeSize(t *testing.T) {
	padded := append([]byte(`{}`), make([]byte, MaxSize-2)...)
	for i := 2; i < len(padded); i++ {
		padded[i] = ' '
	}
	if _, err := Decode(padded); err != nil {
		t.Errorf("MaxSize bytes: %v", err)
	}
	_, err := Decode(append(padded, ' '))
	if want := "config.json: 16777217 bytes are too many: the limit is 16777216 (byte 16777216)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDecodeElements(t *testing.T) {
	document := `{"process":{"args":[` + strings.Repeat(`"",`, maxElements) + `""]}}`
	_, err := Decode([]byte(document))
	if err == nil || !strings.Contains(err.Error(), "more than 1048576 elements") {
		t.Errorf("array: got %v", err)
	}
	document = `{"annotations":{` + strings.Repeat(`"":"",`, maxElements) + `"":""}}`
	_, err = Decode([]byte(document))
	if err == nil || !strings.Contains(err.Error(), "more than 1048576 elements") {
		t.Errorf("map: got %v", err)
	}
}

func TestDecodeNamesItsDocument(t *testing.T) {
	_, err := DecodeProcess([]byte(`{"cwd":1}`))
	if want := "process.json: cwd: expected a string, got a number (byte 7)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = DecodeResources([]byte(`{"pids":{"limit":{}}}`))
	if want := "resources.json: pids.limit: expected a number, got an object (byte 17)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, document := range oddities {
		f.Add([]byte(document))
	}
	for _, file := range exampleFiles(f) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	data, _ := json.Marshal(maximal(f))
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		checkSame(t, data, Decode)
		checkSame(t, data, DecodeProcess)
		checkSame(t, data, DecodeResources)
	})
}

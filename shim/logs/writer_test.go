package logs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// newLog is a log of one driver, and its path.
func newLog(t testing.TB, c Config) (*Writer, string) {
	t.Helper()
	if c.Path == "" {
		c.Path = filepath.Join(t.TempDir(), "log")
	}
	if c.Driver == "" {
		c.Driver = JSONFile
	}
	w, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w, c.Path
}

func write(t testing.TB, w *Writer, s Stream, text string) {
	t.Helper()
	if err := w.Write(s, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// read is what a query finds, both streams apart.
func read(t testing.TB, path string, q Query) (stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	if err := Copy(context.Background(), path, q, Output{Stdout: &out, Stderr: &err}); err != nil {
		t.Fatal(err)
	}
	return out.String(), err.String()
}

var all = Query{Tail: AllLines}

// anyTime is for the time of a record.
var anyTime = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{1,9})?Z`)

func TestFormats(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	tests := []struct {
		name    string
		in      string
		json    string // TIME stands for any
		criText string
	}{
		{"line", "hello\n", `{"log":"hello\n","stream":"stdout","time":"TIME"}`, "TIME stdout F hello"},
		{"empty line", "\n", `{"log":"\n","stream":"stdout","time":"TIME"}`, "TIME stdout F "},
		{"no newline", "a\nb", `{"log":"a\n","stream":"stdout","time":"TIME"}` + "\n" + `{"log":"b","stream":"stdout","time":"TIME"}`,
			"TIME stdout F a\nTIME stdout P b"},
		{"escapes", "\"\\<a>&\t\r\x00\x7f\n", `{"log":"\"\\\u003ca\u003e\u0026\u0009\r\u0000` + "\x7f" + `\n","stream":"stdout","time":"TIME"}`,
			"TIME stdout F \"\\<a>&\t\r\x00\x7f"},
		{"characters", "é€😀\u2028\ufffd\n", `{"log":"é€😀\u2028` + "\ufffd" + `\n","stream":"stdout","time":"TIME"}`, "TIME stdout F é€😀\u2028\ufffd"},
		{"bytes", "a\xff\xc3\n", `{"log":"a\ufffd\ufffd\n","stream":"stdout","raw":"Yf/DCg==","time":"TIME"}`, "TIME stdout F a\xff\xc3"},
		{"long", long + "y\n", `{"log":"` + long + `","stream":"stdout","time":"TIME"}` + "\n" + `{"log":"y\n","stream":"stdout","time":"TIME"}`,
			"TIME stdout P " + long + "\nTIME stdout F y"},
		{"cut at a character", long[1:] + "é\n", `{"log":"` + long[1:] + `","stream":"stdout","time":"TIME"}` + "\n" + `{"log":"é\n","stream":"stdout","time":"TIME"}`,
			"TIME stdout P " + long[1:] + "\nTIME stdout F é"},
	}
	for _, tt := range tests {
		for driver, want := range map[Driver]string{JSONFile: tt.json, CRI: tt.criText} {
			t.Run(tt.name+" "+string(driver), func(t *testing.T) {
				w, path := newLog(t, Config{Driver: driver})
				write(t, w, Stdout, tt.in)
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if got := anyTime.ReplaceAllString(string(data), "TIME"); got != want+"\n" {
					t.Errorf("got  %.300q\nwant %.300q", got, want+"\n")
				}
				if got, _ := read(t, path, all); got != tt.in {
					t.Errorf("read back %.300q, want %.300q", got, tt.in)
				}
			})
		}
	}
}

func TestAttributes(t *testing.T) {
	c := Config{Driver: JSONFile, MaxFiles: 1, Attrs: map[string]string{"env": "prod\"", "a": "1"}}
	if err := c.SetOption("tag", "web"); err != nil {
		t.Fatal(err)
	}
	w, path := newLog(t, c)
	write(t, w, Stderr, "x\n")
	data, _ := os.ReadFile(path)
	want := `{"log":"x\n","stream":"stderr","attrs":{"a":"1","env":"prod\"","tag":"web"},"time":"TIME"}` + "\n"
	if got := anyTime.ReplaceAllString(string(data), "TIME"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, got := read(t, path, all); got != "x\n" {
		t.Errorf("read back %q", got)
	}
}

// Whatever the pieces in which output is read, it comes back byte for byte, and
// each record is valid JSON.
func TestByteExact(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, driver := range []Driver{JSONFile, CRI} {
		for round := range 30 {
			w, path := newLog(t, Config{Driver: driver, MaxSize: 200 << 10, MaxFiles: 1000})
			var want [2][]byte
			for range rnd.IntN(40) {
				s, piece := Stream(rnd.IntN(2)), randomOutput(rnd, round)
				write(t, w, s, string(piece))
				want[s] = append(want[s], piece...)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			stdout, stderr := read(t, path, all)
			if stdout != string(want[0]) || stderr != string(want[1]) {
				t.Fatalf("%s, round %d: %d and %d bytes came back as %d and %d", driver, round, len(want[0]), len(want[1]), len(stdout), len(stderr))
			}
			if driver == JSONFile {
				checkJSON(t, path)
			}
		}
	}
}

// randomOutput is text, binary, or long lines.
func randomOutput(rnd *rand.Rand, round int) []byte {
	out := make([]byte, rnd.IntN(20<<10))
	for i := range out {
		switch round % 3 {
		case 0:
			out[i] = byte(rnd.Uint32())
		case 1:
			out[i] = "ab\n\"é\\<"[rnd.IntN(8)]
		case 2:
			out[i] = "0123456789"[rnd.IntN(10)]
		}
	}
	return out
}

func checkJSON(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var o struct{ Log, Stream, Time string }
		if err := json.Unmarshal(line, &o); err != nil || o.Log == "" || o.Stream == "" || o.Time == "" {
			t.Fatalf("%.200s: %v", line, err)
		}
	}
}

func TestPending(t *testing.T) {
	w, path := newLog(t, Config{})
	write(t, w, Stdout, "name: ")
	if got, _ := read(t, path, all); got != "" || !w.Pending() {
		t.Errorf("before Flush: read %q, pending %v", got, w.Pending())
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, _ := read(t, path, all); got != "name: " || w.Pending() {
		t.Errorf("after Flush: read %q, pending %v", got, w.Pending())
	}
	write(t, w, Stdout, "x\n")
	if got, _ := read(t, path, all); got != "name: x\n" {
		t.Errorf("then read %q", got)
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	w, path := newLog(t, Config{Path: filepath.Join(dir, "log"), MaxSize: 1000, MaxFiles: 3})
	for i := range 100 {
		write(t, w, Stdout, fmt.Sprintf("line %d\n", i))
	}
	for _, f := range []string{"log", "log.1", "log.2"} {
		fi, err := os.Stat(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		if fi.Size() > 1100 || fi.Mode() != 0o640&^os.FileMode(umask()) {
			t.Errorf("%s: %d bytes, mode %v", f, fi.Size(), fi.Mode())
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 3 {
		t.Errorf("files: %v", entries)
	}
	got, _ := read(t, path, all)
	first, last := "", ""
	for line := range strings.Lines(got) {
		if first == "" {
			first = line
		}
		last = line
	}
	if want := 2 * 1000 / 80; strings.Count(got, "\n") < want || last != "line 99\n" || !strings.HasPrefix(first, "line ") {
		t.Errorf("%d lines are left, %q to %q", strings.Count(got, "\n"), first, last)
	}
}

func umask() int {
	old := unix.Umask(0)
	unix.Umask(old)
	return old
}

func TestRotationWithOneFile(t *testing.T) {
	dir := t.TempDir()
	w, path := newLog(t, Config{Path: filepath.Join(dir, "log"), MaxSize: 100})
	for i := range 10 {
		write(t, w, Stdout, fmt.Sprintf("line %d\n", i))
	}
	if got, _ := read(t, path, all); got != "line 8\nline 9\n" {
		t.Errorf("left: %q", got)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("files: %v", entries)
	}
}

// A new file that cannot be made loses nothing: the old one grows.
func TestRotationFails(t *testing.T) {
	dir := t.TempDir()
	w, path := newLog(t, Config{Path: filepath.Join(dir, "log"), MaxSize: 100, MaxFiles: 2})
	if err := os.Mkdir(path+".next", 0o700); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i := range 5 {
		if w.Write(Stdout, fmt.Appendf(nil, "line %d\n", i)) != nil {
			failed++
		}
	}
	if got, _ := read(t, path, all); failed == 0 || got != "line 0\nline 1\nline 2\nline 3\nline 4\n" {
		t.Errorf("%d writes failed, left: %q", failed, got)
	}
	os.Remove(path + ".next")
	write(t, w, Stdout, "line 5\n")
	if got, _ := read(t, path, Query{Tail: 1}); got != "line 5\n" || !exists(path+".1") {
		t.Errorf("then: %q", got)
	}
}

// A writer that was killed at any byte, and in any step of a rotation, leaves a
// log that can be read, and gone on with.
func TestTornRecord(t *testing.T) {
	w, path := newLog(t, Config{})
	write(t, w, Stdout, "one\ntwo\n")
	w.Close()
	data, _ := os.ReadFile(path)
	first := bytes.IndexByte(data, '\n') + 1
	for size := first; size < len(data); size++ {
		if err := os.WriteFile(path, data[:size], 0o640); err != nil {
			t.Fatal(err)
		}
		if got, _ := read(t, path, all); got != "one\n" {
			t.Fatalf("cut at %d: read %q", size, got)
		}
		if got, _ := read(t, path, Query{Tail: 1}); got != "one\n" {
			t.Fatalf("cut at %d: the last line is %q", size, got)
		}
		w, _ := newLog(t, Config{Path: path})
		write(t, w, Stdout, "three\n")
		w.Close()
		if got, _ := read(t, path, all); got != "one\nthree\n" {
			t.Fatalf("cut at %d, gone on with: read %q", size, got)
		}
	}
}

func TestKilledWhileRotating(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string // after the name log, to the line in it
	}{
		{"new file made", map[string]string{"": "c", ".1": "b", ".2": "a", ".next": ""}},
		{"one shifted", map[string]string{"": "c", ".2": "b", ".next": ""}},
		{"all shifted", map[string]string{".1": "c", ".2": "b", ".next": ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			for suffix, line := range tt.files {
				w, _ := newLog(t, Config{Path: path + suffix})
				if line != "" {
					write(t, w, Stdout, line+"\n")
				}
				w.Close()
			}
			before, _ := read(t, path, all)
			if !strings.HasSuffix(before, "b\nc\n") {
				t.Errorf("read %q", before)
			}
			w, _ := newLog(t, Config{Path: path, MaxSize: 10, MaxFiles: 3})
			for _, line := range []string{"d\n", "e\n"} {
				write(t, w, Stdout, line)
			}
			if got, _ := read(t, path, all); !strings.HasSuffix(got, "d\ne\n") || !strings.HasSuffix(before+"d\ne\n", got) {
				t.Errorf("then read %q", got)
			}
		})
	}
}

// After a failure the file still ends in a whole record, and takes more.
func TestFullDisk(t *testing.T) {
	w, path := newLog(t, Config{})
	write(t, w, Stdout, "one\n")
	fi, _ := os.Stat(path)
	var old unix.Rlimit
	limit := unix.Rlimit{Cur: uint64(fi.Size()) + 20, Max: unix.RLIM_INFINITY}
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit.Max = old.Max
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	err := w.Write(Stdout, []byte("two\n"))
	if err2 := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err2 != nil {
		t.Fatal(err2)
	}
	if err == nil || !strings.HasPrefix(err.Error(), "writing log: ") {
		t.Errorf("error: %v", err)
	}
	if now, _ := os.Stat(path); now.Size() != fi.Size() {
		t.Errorf("%d bytes became %d", fi.Size(), now.Size())
	}
	write(t, w, Stdout, "three\n")
	if got, _ := read(t, path, all); got != "one\nthree\n" {
		t.Errorf("read %q", got)
	}
}

func TestReopen(t *testing.T) {
	w, path := newLog(t, Config{Driver: CRI})
	write(t, w, Stdout, "one\n")
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	write(t, w, Stdout, "two\n")
	if err := w.Reopen(); err != nil {
		t.Fatal(err)
	}
	write(t, w, Stdout, "three\n")
	old, _ := read(t, path+".old", all)
	now, _ := read(t, path, all)
	if old != "one\ntwo\n" || now != "three\n" {
		t.Errorf("read %q and %q", old, now)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	link, fifo := filepath.Join(dir, "link"), filepath.Join(dir, "fifo")
	if err := os.Symlink("/etc/passwd", link); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []Config{{Driver: JSONFile, Path: link}, {Driver: CRI, Path: fifo}, {Driver: JSONFile, Path: dir},
		{Driver: "syslog"}, {Driver: Journald, Journal: Journal{Socket: filepath.Join(dir, "none")}}} {
		if w, err := Open(c); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v, %v", c, w, err)
		}
	}
	if err := Read(context.Background(), link, all, func(Record) error { return nil }); err == nil {
		t.Error("a link was read")
	}
}

func TestNone(t *testing.T) {
	w, err := Open(Config{Driver: None})
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, Stdout, "a\nb")
	if w.Pending() || w.Flush() != nil || w.Reopen() != nil || w.Close() != nil {
		t.Error("none keeps something")
	}
}

func TestSetOption(t *testing.T) {
	tests := []struct {
		driver      Driver
		name, value string
		want        Config // nothing: refused
	}{
		{JSONFile, "max-size", "10m", Config{Driver: JSONFile, MaxSize: 10_000_000}},
		{JSONFile, "max-size", "64KB", Config{Driver: JSONFile, MaxSize: 64_000}},
		{CRI, "max-size", "512", Config{Driver: CRI, MaxSize: 512}},
		{CRI, "max-size", "-1", Config{Driver: CRI}},
		{CRI, "max-file", "3", Config{Driver: CRI, MaxFiles: 3}},
		{Journald, "tag", "web", Config{Driver: Journald, Journal: Journal{Tag: "web"}}},
		{Journald, "labels", "a,b", Config{Driver: Journald, Labels: []string{"a", "b"}}},
		{JSONFile, "env", "A", Config{Driver: JSONFile, Env: []string{"A"}}},
		{None, "labels", "a", Config{}}, {CRI, "env", "a", Config{}},
		{JSONFile, "max-size", "0", Config{}}, {JSONFile, "max-size", "", Config{}}, {JSONFile, "max-size", "1x", Config{}},
		{JSONFile, "max-size", "9223372036854775807t", Config{}}, {JSONFile, "max-size", "mm", Config{}},
		{JSONFile, "max-file", "0", Config{}}, {Journald, "max-size", "1m", Config{}}, {None, "tag", "x", Config{}}, {JSONFile, "x", "y", Config{}},
	}
	for _, tt := range tests {
		c := Config{Driver: tt.driver}
		err := c.SetOption(tt.name, tt.value)
		if refused := tt.want.Driver == ""; refused != (err != nil) || !refused && fmt.Sprint(c) != fmt.Sprint(tt.want) {
			t.Errorf("%s %s=%s: got %+v, %v", tt.driver, tt.name, tt.value, c, err)
		}
	}
}

// A record has of labels and variables what was asked for, beside the tag.
func TestMark(t *testing.T) {
	c := Config{Driver: JSONFile, Attrs: map[string]string{"tag": "x"}, Labels: []string{"team", "none"}, Env: []string{"COLOR"}}
	c.Mark(map[string]string{"team": "blue", "other": "1"}, []string{"COLOR=a=b", "PATH=/bin"})
	if want := map[string]string{"tag": "x", "team": "blue", "COLOR": "a=b"}; fmt.Sprint(c.Attrs) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", c.Attrs, want)
	}
	unasked := Config{Driver: Journald}
	if unasked.Mark(map[string]string{"team": "blue"}, []string{"PATH=/bin"}); len(unasked.Journal.Fields) != 0 {
		t.Errorf("fields that nobody asked for: %v", unasked.Journal.Fields)
	}
}

func BenchmarkWrite(b *testing.B) {
	line := strings.Repeat("GET /index.html 200 ", 4) + "\n"
	for _, tt := range []struct {
		name   string
		driver Driver
		lines  int // in one read
	}{{"json-file/1", JSONFile, 1}, {"json-file/100", JSONFile, 100}, {"cri/1", CRI, 1}, {"cri/100", CRI, 100}} {
		b.Run(tt.name, func(b *testing.B) {
			w, _ := newLog(b, Config{Driver: tt.driver, MaxSize: 100 << 20, MaxFiles: 2})
			chunk := []byte(strings.Repeat(line, tt.lines))
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for range (b.N + tt.lines - 1) / tt.lines {
				if err := w.Write(Stdout, chunk); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

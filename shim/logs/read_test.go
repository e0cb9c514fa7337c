package logs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// at is a time in the log that at makes.
func at(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 5, time.UTC) }

// logAt is a log in several files, a line "N" at each second N.
func logAt(t *testing.T, seconds, perFile int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	files := (seconds + perFile - 1) / perFile
	for i := range files {
		var data []byte
		for s := i * perFile; s < min(seconds, (i+1)*perFile); s++ {
			data = appendRecord(data, s, Stdout, fmt.Sprintf("%d\n", s))
		}
		if err := os.WriteFile(name(path, files-1-i), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func appendRecord(dst []byte, second int, s Stream, line string) []byte {
	text, whole := strings.CutSuffix(line, "\n")
	return jsonFile{}.encode(dst, at(second).AppendFormat(nil, time.RFC3339Nano), s, []byte(text), whole)
}

func TestQuery(t *testing.T) {
	path := logAt(t, 20, 6)
	tests := []struct {
		name string
		q    Query
		want string
	}{
		{"none", Query{Tail: 0}, ""},
		{"last", Query{Tail: 1}, "19"},
		{"last of two files", Query{Tail: 4}, "16 17 18 19"},
		{"more than there are", Query{Tail: 100, Since: at(17)}, "17 18 19"},
		{"since", Query{Tail: AllLines, Since: at(18)}, "18 19"},
		{"until", Query{Tail: AllLines, Until: at(1)}, "0 1"},
		{"between", Query{Tail: AllLines, Since: at(5), Until: at(7)}, "5 6 7"},
		{"last until", Query{Tail: 2, Until: at(7)}, "6 7"},
		{"last between", Query{Tail: 3, Since: at(6), Until: at(7)}, "6 7"},
		{"later", Query{Tail: AllLines, Since: at(30)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := read(t, path, tt.q)
			if got := strings.Join(strings.Fields(got), " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A line in several records counts as one, and so does each stream's last one
// without a newline.
func TestTailCountsLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var data []byte
	for i, r := range []struct {
		s    Stream
		line string
	}{{Stdout, "a\n"}, {Stdout, "b1 "}, {Stdout, "b2\n"}, {Stderr, "c\n"}, {Stderr, "d1 "}, {Stdout, "e1 "}, {Stderr, "d2"}, {Stdout, "e2"}} {
		data = appendRecord(data, i, r.s, r.line)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	stdout := Stdout
	tests := []struct {
		q              Query
		stdout, stderr string
	}{
		{Query{Tail: 2}, "e1 e2", "d1 d2"},
		{Query{Tail: 3}, "e1 e2", "c\nd1 d2"},
		{Query{Tail: 4}, "b1 b2\ne1 e2", "c\nd1 d2"},
		{Query{Tail: 5}, "a\nb1 b2\ne1 e2", "c\nd1 d2"},
		{Query{Tail: 2, Stream: &stdout}, "b1 b2\ne1 e2", ""},
	}
	for _, tt := range tests {
		out, err := read(t, path, tt.q)
		if out != tt.stdout || err != tt.stderr {
			t.Errorf("last %d: got %q and %q, want %q and %q", tt.q.Tail, out, err, tt.stdout, tt.stderr)
		}
	}
}

// The last lines of a large file are found without reading it: damage far from
// the end makes no difference, nor does its size.
func TestTailReadsFromTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 40); err != nil { // nothing but a hole
		t.Skipf("needs a file system with files of 1 TiB: %v", err)
	}
	data := []byte("\n")
	for i := range 1000 {
		data = appendRecord(data, i%60, Stdout, fmt.Sprintf("line %d\n", i))
	}
	if _, err := f.WriteAt(data, 1<<40); err != nil {
		t.Skipf("needs a file system with files of 1 TiB: %v", err)
	}
	got, _ := read(t, path, Query{Tail: 900})
	if !strings.HasPrefix(got, "line 100\n") || strings.Count(got, "\n") != 900 {
		t.Errorf("got %.40q", got)
	}
}

func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	data := appendRecord(nil, 1, Stdout, "a\n")
	data = append(data, "garbage\n{\"log\":\n\n{}\n"...)
	data = append(append(data, bytes.Repeat([]byte("x"), 3*maxRecord)...), '\n')
	data = appendRecord(data, 2, Stdout, "b\n")
	data = cri{}.encode(data, []byte("2026-01-02T03:04:03Z"), Stdout, []byte("c"), true)
	data = append(data, "2026-01-02T03:04:03Z stdout X c\n2026-01-02T03:04:03Z stdin F c\nnow stdout F c\n"...)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, q := range []Query{all, {Tail: 10}} {
		if got, _ := read(t, path, q); got != "a\nb\nc\n" {
			t.Errorf("tail %d: read %q", q.Tail, got)
		}
	}
}

func TestTimestamps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	data := appendRecord(nil, 1, Stdout, "a1 ")
	data = appendRecord(data, 2, Stderr, "b\n")
	data = appendRecord(data, 3, Stdout, "a2\n")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if err := Copy(t.Context(), path, all, Output{&stdout, &stderr, true}); err != nil {
		t.Fatal(err)
	}
	if got, want := stdout.String(), "2026-01-02T03:04:01.000000005Z a1 a2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := stderr.String(), "2026-01-02T03:04:02.000000005Z b\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoLog(t *testing.T) {
	if got, _ := read(t, filepath.Join(t.TempDir(), "log"), Query{Tail: 5}); got != "" {
		t.Errorf("read %q", got)
	}
}

// following reads a log as it grows.
type following struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{}
	ended chan struct{}
	done  chan error
}

func follow(t *testing.T, path string, q Query) *following {
	t.Helper()
	f := &following{more: make(chan struct{}, 1), ended: make(chan struct{}), done: make(chan error, 1)}
	q.Follow, q.Ended = true, f.ended
	go func() { f.done <- Read(t.Context(), path, q, f.add) }()
	return f
}

func (f *following) add(r Record) error {
	f.mu.Lock()
	f.lines = append(f.lines, string(r.Line))
	f.mu.Unlock()
	select {
	case f.more <- struct{}{}:
	default:
	}
	return nil
}

// await waits until so many lines were read.
func (f *following) await(t *testing.T, n int) {
	t.Helper()
	for {
		f.mu.Lock()
		have := len(f.lines)
		f.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-f.more:
		case err := <-f.done:
			t.Fatalf("following ended after %d lines: %v", have, err)
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d lines after 30 s", have, n)
		}
	}
}

// end says that the container has ended, and returns what was read.
func (f *following) end(t *testing.T) []string {
	t.Helper()
	close(f.ended)
	select {
	case err := <-f.done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("following goes on 30 s after the end")
	}
	return f.lines
}

func TestFollow(t *testing.T) {
	w, path := newLog(t, Config{})
	write(t, w, Stdout, "one\n")
	f := follow(t, path, all)
	f.await(t, 1)
	write(t, w, Stdout, "two\nthr")
	f.await(t, 2)
	write(t, w, Stdout, "ee\n")
	f.await(t, 3)
	write(t, w, Stderr, "four\n")
	if got := fmt.Sprintf("%q", f.end(t)); got != `["one\n" "two\n" "three\n" "four\n"]` {
		t.Errorf("got %s", got)
	}
}

// No record is lost or seen twice, however fast the files rotate.
func TestFollowRotation(t *testing.T) {
	for _, keep := range []int{2, 50} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			w, path := newLog(t, Config{MaxSize: 2000, MaxFiles: keep})
			f := follow(t, path, all)
			const lines = 3000
			for i := range lines {
				write(t, w, Stdout, fmt.Sprintf("line %d\n", i))
				if i%10 == 9 { // as slow as the reader, which may not be overtaken
					f.await(t, i+1)
				}
			}
			for i, line := range f.end(t) {
				if want := fmt.Sprintf("line %d\n", i); line != want {
					t.Fatalf("record %d is %q, want %q", i, line, want)
				}
			}
			if len(f.lines) != lines {
				t.Errorf("%d records, want %d", len(f.lines), lines)
			}
		})
	}
}

// A reader that is overtaken goes on with the oldest that is left, in order.
func TestFollowOvertaken(t *testing.T) {
	w, path := newLog(t, Config{MaxSize: 300, MaxFiles: 3})
	write(t, w, Stdout, "line 0\n")
	block, read := make(chan struct{}), make(chan struct{})
	var got []int
	ended := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		q := Query{Tail: AllLines, Follow: true, Ended: ended}
		done <- Read(t.Context(), path, q, func(r Record) error {
			var n int
			if _, err := fmt.Sscanf(string(r.Line), "line %d", &n); err != nil {
				return err
			}
			if got = append(got, n); n == 0 {
				close(read)
				<-block
			}
			return nil
		})
	}()
	<-read
	for i := 1; i < 100; i++ {
		write(t, w, Stdout, fmt.Sprintf("line %d\n", i))
	}
	close(block)
	close(ended)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(got); i++ {
		if got[i] <= got[i-1] {
			t.Fatalf("%d after %d", got[i], got[i-1])
		}
	}
	if got[len(got)-1] != 99 || len(got) < 10 {
		t.Errorf("got %v", got)
	}
}

// A log that is not there yet is waited for.
func TestFollowFromBeforeTheBeginning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f := follow(t, path, all)
	w, _ := newLog(t, Config{Path: path})
	write(t, w, Stdout, "one\n")
	f.await(t, 1)
	if got := fmt.Sprintf("%q", f.end(t)); got != `["one\n"]` {
		t.Errorf("got %s", got)
	}
}

// A writer that was killed in the middle of a record, and goes on.
func TestFollowRepair(t *testing.T) {
	w, path := newLog(t, Config{})
	write(t, w, Stdout, "one\n")
	w.Close()
	data, _ := os.ReadFile(path)
	if err := os.WriteFile(path, append(data, data[:len(data)-3]...), 0o600); err != nil {
		t.Fatal(err)
	}
	f := follow(t, path, all)
	f.await(t, 1)
	w, _ = newLog(t, Config{Path: path})
	write(t, w, Stdout, "two\n")
	f.await(t, 2)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	write(t, w, Stdout, "3\n")
	if got := fmt.Sprintf("%q", f.end(t)); got != `["one\n" "two\n" "3\n"]` {
		t.Errorf("got %s", got)
	}
}

func TestFollowEnds(t *testing.T) {
	t.Run("context", func(t *testing.T) {
		_, path := newLog(t, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- Read(ctx, path, Query{Follow: true}, func(Record) error { return nil }) }()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("until", func(t *testing.T) {
		_, path := newLog(t, Config{})
		q := Query{Follow: true, Until: time.Now().Add(50 * time.Millisecond)}
		if err := Read(t.Context(), path, q, func(Record) error { return nil }); err != nil {
			t.Error(err)
		}
	})
	t.Run("reader", func(t *testing.T) {
		w, path := newLog(t, Config{})
		write(t, w, Stdout, "x\n")
		failed := errors.New("closed pipe")
		q := Query{Tail: AllLines, Follow: true}
		if err := Read(t.Context(), path, q, func(Record) error { return failed }); err != failed {
			t.Error(err)
		}
	})
}

// Our own way of reading a record agrees with the standard library's.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("hello\n"), true)
	f.Add([]byte("\x00\x01\"\\<>&\xff\u2028é"), false)
	f.Fuzz(func(t *testing.T, line []byte, whole bool) {
		line = bytes.ReplaceAll(line, []byte("\n"), nil)
		want := line
		if whole {
			want = append(bytes.Clone(line), '\n')
		}
		data := jsonFile{}.encode(nil, []byte("2026-01-02T03:04:05Z"), Stderr, line, whole)
		var d decoder
		r, err := d.decode(data)
		if err != nil || !bytes.Equal(r.Line, want) || r.Stream != Stderr {
			t.Fatalf("%q came back as %q, %v", want, r.Line, err)
		}
		var o struct{ Log string }
		if err := json.Unmarshal(data, &o); err != nil || utf8.Valid(line) && o.Log != string(want) {
			t.Fatalf("%s: %q, %v", data, o.Log, err)
		}
	})
}

// Whatever a file holds, reading ends, and the quick way says what the general
// one says.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"log":"a\n","stream":"stdout","time":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte(`2026-01-02T03:04:05Z stdout F a`))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = append(bytes.ReplaceAll(data, []byte("\n"), []byte(" ")), '\n')
		var d decoder
		r, err := d.decode(data)
		if quick, ok := d.plain(data); ok && data[0] == '{' && utf8.Valid(data) {
			slow, err := d.object(data)
			if err != nil || !bytes.Equal(slow.Line, quick.Line) || slow.Stream != quick.Stream || !slow.Time.Equal(quick.Time) {
				t.Fatalf("%q: %+v and %+v, %v", data, quick, slow, err)
			}
		}
		if err != nil && r.Line != nil {
			t.Fatal("a record with an error")
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	data := appendRecord(nil, 1, Stdout, strings.Repeat("GET /index.html 200 ", 4)+"\n")
	var d decoder
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := d.decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

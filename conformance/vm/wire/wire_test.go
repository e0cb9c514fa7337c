package wire

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestFramesComeBack(t *testing.T) {
	var port bytes.Buffer
	frames := []struct {
		kind    Kind
		payload string
	}{{Ready, ""}, {Stdout, "hello\x00\n"}, {Stderr, strings.Repeat("e", 40000)}, {Exited, `{"Status":7}`}}
	for _, f := range frames {
		if err := Write(&port, f.kind, []byte(f.payload)); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range frames {
		kind, payload, err := Read(&port)
		if err != nil || kind != f.kind || string(payload) != f.payload {
			t.Errorf("got frame %q of %d bytes, %v; want %q of %d", kind, len(payload), err, f.kind, len(f.payload))
		}
	}
	if _, _, err := Read(&port); err != io.EOF {
		t.Errorf("at the end: got %v, want EOF", err)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, tt := range []struct{ name, bytes, want string }{
		{"a frame cut in its head", "o\x00\x00", "unexpected EOF"},
		{"a frame cut in its payload", "o\x00\x00\x00\x04ab", "unexpected EOF"},
		{"what is no frame", "Linux version 6.1", "are more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := Read(strings.NewReader(tt.bytes)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestWriteRefusesWhatReadWould(t *testing.T) {
	if err := Write(io.Discard, Stdout, make([]byte, maxFrame+1)); err == nil {
		t.Error("a frame above the bound was written")
	}
}

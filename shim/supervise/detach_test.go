package supervise

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestParseDetachKeys(t *testing.T) {
	for text, want := range map[string]string{"": "\x10\x11", "ctrl-a": "\x01", "a,b": "ab", "ctrl-@,ctrl-_": "\x00\x1f", "ctrl-C,x": "\x03x"} {
		if got, err := ParseDetachKeys(text); string(got) != want || err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"ctrl-", "ctrl-1", "alt-a", "a,,b", "ctrl-aa"} {
		if got, err := ParseDetachKeys(text); err == nil {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestDetachBy(t *testing.T) {
	tests := []struct {
		name, in, want string
		detached       bool
	}{
		{"none", "hello", "hello", false},
		{"at the end", "hello\x10\x11", "hello", true},
		{"in between", "a\x10\x11b", "a", true},
		{"half", "a\x10b\x10", "a\x10b\x10", false},
		{"twice the first", "\x10\x10\x11", "\x10", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, func(r io.Reader) io.Reader { return r }} {
				got, err := io.ReadAll(DetachBy(wrap(strings.NewReader(test.in)), []byte("\x10\x11")))
				if string(got) != test.want || errors.Is(err, ErrDetached) != test.detached {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
}

package supervise

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// DefaultDetachKeys leave a terminal's process alone.
// Compat(moby): the same.
const DefaultDetachKeys = "ctrl-p,ctrl-q"

// ParseDetachKeys reads a list of keys: letters, or ctrl- and one of a-z @ [ \ ] ^
// _, separated by commas. "" is the default's.
func ParseDetachKeys(text string) ([]byte, error) {
	if text == "" {
		text = DefaultDetachKeys
	}
	var keys []byte
	for _, word := range strings.Split(text, ",") {
		key, err := parseKey(word)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func parseKey(word string) (byte, error) {
	if len(word) == 1 {
		return word[0], nil
	}
	name, found := strings.CutPrefix(word, "ctrl-")
	if found && len(name) == 1 {
		c := strings.ToUpper(name)[0]
		if c >= '@' && c <= '_' {
			return c - '@', nil
		}
	}
	return 0, fmt.Errorf("invalid detach key %q [a letter, or ctrl- and one of a-z @ [ \\ ] ^ _]", word)
}

// detacher is an input that ends with ErrDetached when the keys come in a row.
type detacher struct {
	in   io.Reader
	keys []byte
	held []byte // keys that have come, and may be the beginning
	out  []byte // read, and not yet given
	err  error
}

// DetachBy is an input that ends with ErrDetached when the keys come in it, one
// after the other. No keys is the input as it is.
func DetachBy(in io.Reader, keys []byte) io.Reader {
	if len(keys) == 0 {
		return in
	}
	return &detacher{in: in, keys: keys}
}

func (d *detacher) Read(p []byte) (int, error) {
	for len(d.out) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		buf := make([]byte, len(p))
		n, err := d.in.Read(buf)
		d.err = err
		d.filter(buf[:n])
		if err != nil && len(d.held) > 0 && d.err != ErrDetached {
			d.out, d.held = append(d.out, d.held...), nil
		}
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// filter holds what may be keys, and gives the rest.
func (d *detacher) filter(data []byte) {
	for _, b := range data {
		d.held = append(d.held, b)
		for len(d.held) > 0 && !slices.Equal(d.held, d.keys[:len(d.held)]) {
			d.out = append(d.out, d.held[0])
			d.held = d.held[1:]
		}
		if len(d.held) == len(d.keys) {
			d.err = ErrDetached
			return
		}
	}
}

package trace

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

// Context says where in a distributed trace something happens.
//
// Source: W3C Trace Context, 3.2 (traceparent header).
type Context struct {
	Trace [16]byte // the whole trace
	Span  [8]byte  // the operation that caused this one
	Flags byte     // bit 0: the caller records
}

// The lengths of traceparent's fields, in characters.
const (
	versionLen, traceLen, spanLen, flagsLen = 2, 32, 16, 2
	headerLen                               = versionLen + 1 + traceLen + 1 + spanLen + 1 + flagsLen
)

// ParseContext reads the value of a traceparent header, or of the environment
// variable TRACEPARENT, strictly: lower-case hexadecimal digits, neither id
// all zero. Of a version that is not known yet, it takes the known part.
func ParseContext(text string) (Context, error) {
	var c Context
	if err := c.parse(text); err != nil {
		return Context{}, fmt.Errorf("parsing traceparent %q: %w", text, err)
	}
	return c, nil
}

func (c *Context) parse(text string) error {
	if len(text) < headerLen {
		return fmt.Errorf("%d characters are too few, it has %d", len(text), headerLen)
	}
	fields := strings.Split(text[:headerLen], "-")
	if len(fields) != 4 {
		return fmt.Errorf("it has not four fields")
	}
	var version, flags [1]byte
	for i, into := range [][]byte{version[:], c.Trace[:], c.Span[:], flags[:]} {
		if err := lowerHex(into, fields[i]); err != nil {
			return err
		}
	}
	c.Flags = flags[0]
	switch rest := text[headerLen:]; {
	case version[0] == 0xff:
		return fmt.Errorf("version ff is forbidden")
	case version[0] == 0 && rest != "", rest != "" && rest[0] != '-':
		return fmt.Errorf("it goes on after its flags")
	case c.Trace == [16]byte{}, c.Span == [8]byte{}:
		return fmt.Errorf("an id is zero")
	}
	return nil
}

// lowerHex decodes exactly as many digits as there is room for.
func lowerHex(into []byte, text string) error {
	if len(text) != 2*len(into) || strings.Trim(text, "0123456789abcdef") != "" {
		return fmt.Errorf("%q is not %d lower-case hexadecimal digits", text, 2*len(into))
	}
	_, err := hex.Decode(into, []byte(text))
	return err
}

// String is the context as a traceparent of version 00.
func (c Context) String() string {
	return fmt.Sprintf("00-%x-%x-%02x", c.Trace, c.Span, c.Flags)
}

// newTrace begins a trace of one's own. Reading random bytes cannot fail.
func newTrace() (id [16]byte) {
	rand.Read(id[:])
	return id
}

func newSpan() (id [8]byte) {
	rand.Read(id[:])
	return id
}

package protobuf

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Message declares its fields, each with its number and its place.
type Message interface{ Fields(c *Coder) }

// Coder is either writing all fields of a message, or reading one.
type Coder struct {
	out []byte

	reading bool
	number  protowire.Number
	kind    protowire.Type
	scalar  uint64
	bytes   []byte
	depth   int
	err     error
}

// maxDepth bounds how deep messages of a peer may be nested.
const maxDepth = 32

var errDepth = errors.New("messages are nested too deep")

// Marshal encodes a message.
func Marshal(m Message) []byte {
	c := Coder{}
	m.Fields(&c)
	return c.out
}

// Unmarshal decodes a message into m, which is empty. Strings and byte slices
// are copies.
func Unmarshal(data []byte, m Message) error { return unmarshal(data, m, 0) }

func unmarshal(data []byte, m Message, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("decoding a message: %w", errDepth)
	}
	c := Coder{reading: true, depth: depth}
	for len(data) > 0 {
		rest, err := c.next(data)
		if err != nil {
			return fmt.Errorf("decoding a message: %w", err)
		}
		data = rest
		m.Fields(&c)
		if c.err != nil {
			return c.err
		}
	}
	return nil
}

// next takes one field off the data.
func (c *Coder) next(data []byte) ([]byte, error) {
	number, kind, n := protowire.ConsumeTag(data)
	if n < 0 {
		return nil, protowire.ParseError(n)
	}
	data = data[n:]
	c.number, c.kind, c.scalar, c.bytes = number, kind, 0, nil
	switch kind {
	case protowire.VarintType:
		c.scalar, n = protowire.ConsumeVarint(data)
	case protowire.Fixed64Type:
		c.scalar, n = protowire.ConsumeFixed64(data)
	case protowire.BytesType:
		c.bytes, n = protowire.ConsumeBytes(data)
	default:
		n = protowire.ConsumeFieldValue(number, kind, data)
	}
	if n < 0 {
		return nil, protowire.ParseError(n)
	}
	return data[n:], nil
}

// is tells whether the field that is being read is this one.
func (c *Coder) is(number protowire.Number, kind protowire.Type) bool {
	return c.number == number && c.kind == kind
}

// Text is a string.
func (c *Coder) Text(number protowire.Number, v *string) {
	switch {
	case c.reading && c.is(number, protowire.BytesType):
		*v = string(c.bytes)
	case !c.reading && *v != "":
		c.out = protowire.AppendString(protowire.AppendTag(c.out, number, protowire.BytesType), *v)
	}
}

// Bytes are bytes.
func (c *Coder) Bytes(number protowire.Number, v *[]byte) {
	switch {
	case c.reading && c.is(number, protowire.BytesType):
		*v = append([]byte(nil), c.bytes...)
	case !c.reading && len(*v) > 0:
		c.field(number, *v)
	}
}

// field writes a field of bytes, empty or not.
func (c *Coder) field(number protowire.Number, v []byte) {
	c.out = protowire.AppendBytes(protowire.AppendTag(c.out, number, protowire.BytesType), v)
}

// Integer is what a varint holds.
type Integer interface {
	~int32 | ~int64 | ~uint32 | ~uint64
}

// Number is an integer.
func Number[T Integer](c *Coder, number protowire.Number, v *T) {
	switch {
	case c.reading && c.is(number, protowire.VarintType):
		*v = T(c.scalar)
	case !c.reading && *v != 0:
		c.out = protowire.AppendVarint(protowire.AppendTag(c.out, number, protowire.VarintType), uint64(*v))
	}
}

// Flag is a boolean.
func (c *Coder) Flag(number protowire.Number, v *bool) {
	switch {
	case c.reading && c.is(number, protowire.VarintType):
		*v = c.scalar != 0
	case !c.reading && *v:
		c.out = protowire.AppendVarint(protowire.AppendTag(c.out, number, protowire.VarintType), 1)
	}
}

// Double is a floating point number.
func (c *Coder) Double(number protowire.Number, v *float64) {
	switch {
	case c.reading && c.is(number, protowire.Fixed64Type):
		*v = math.Float64frombits(c.scalar)
	case !c.reading && *v != 0:
		c.out = protowire.AppendFixed64(protowire.AppendTag(c.out, number, protowire.Fixed64Type), math.Float64bits(*v))
	}
}

package protobuf

import "google.golang.org/protobuf/encoding/protowire"

// pointer is a *T that is a message.
type pointer[T any] interface {
	*T
	Message
}

// One is a message; nil for none.
func One[T any, P pointer[T]](c *Coder, number protowire.Number, v **T) {
	switch {
	case c.reading && c.is(number, protowire.BytesType):
		if *v == nil {
			*v = new(T)
		}
		c.err = unmarshal(c.bytes, P(*v), c.depth+1)
	case !c.reading && *v != nil:
		c.field(number, Marshal(P(*v)))
	}
}

// Many are messages.
func Many[T any, P pointer[T]](c *Coder, number protowire.Number, v *[]T) {
	if c.reading {
		if c.is(number, protowire.BytesType) {
			*v = append(*v, *new(T))
			c.err = unmarshal(c.bytes, P(&(*v)[len(*v)-1]), c.depth+1)
		}
		return
	}
	for i := range *v {
		c.field(number, Marshal(P(&(*v)[i])))
	}
}

// Texts are strings.
func (c *Coder) Texts(number protowire.Number, v *[]string) {
	if c.reading {
		if c.is(number, protowire.BytesType) {
			*v = append(*v, string(c.bytes))
		}
		return
	}
	for _, s := range *v {
		c.field(number, []byte(s))
	}
}

// Numbers are integers, packed.
func (c *Coder) Numbers(number protowire.Number, v *[]uint64) {
	switch {
	case c.reading && c.is(number, protowire.VarintType):
		*v = append(*v, c.scalar)
	case c.reading && c.is(number, protowire.BytesType):
		c.unpack(v)
	case !c.reading && len(*v) > 0:
		var packed []byte
		for _, n := range *v {
			packed = protowire.AppendVarint(packed, n)
		}
		c.field(number, packed)
	}
}

func (c *Coder) unpack(v *[]uint64) {
	for data := c.bytes; len(data) > 0; {
		n, used := protowire.ConsumeVarint(data)
		if used < 0 {
			c.err = protowire.ParseError(used)
			return
		}
		*v, data = append(*v, n), data[used:]
	}
}

// entry is an element of a map.
type entry struct{ key, value string }

func (e *entry) Fields(c *Coder) {
	c.Text(1, &e.key)
	c.Text(2, &e.value)
}

// Map is a map of strings.
func (c *Coder) Map(number protowire.Number, v *map[string]string) {
	if c.reading {
		if c.is(number, protowire.BytesType) {
			c.readEntry(v)
		}
		return
	}
	for key, value := range *v {
		c.field(number, Marshal(&entry{key, value}))
	}
}

func (c *Coder) readEntry(v *map[string]string) {
	e := entry{}
	if c.err = unmarshal(c.bytes, &e, c.depth+1); c.err != nil {
		return
	}
	if *v == nil {
		*v = map[string]string{}
	}
	(*v)[e.key] = e.value
}

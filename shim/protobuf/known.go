package protobuf

import "time"

// Any is a message with its type's name.
type Any struct {
	TypeURL string
	Value   []byte
}

// Fields are google.protobuf.Any's.
func (a *Any) Fields(c *Coder) {
	c.Text(1, &a.TypeURL)
	c.Bytes(2, &a.Value)
}

// Pack puts a message into an Any. Compat(containerd): its names have no
// domain before them.
func Pack(name string, m Message) *Any { return &Any{name, Marshal(m)} }

// Empty is a message without fields.
type Empty struct{}

// Fields are none.
func (*Empty) Fields(*Coder) {}

// Timestamp is a point in time.
type Timestamp struct {
	Seconds int64
	Nanos   int32
}

// Fields are google.protobuf.Timestamp's.
func (t *Timestamp) Fields(c *Coder) {
	Number(c, 1, &t.Seconds)
	Number(c, 2, &t.Nanos)
}

// Stamp is a time as a Timestamp; nil for the zero time.
func Stamp(t time.Time) *Timestamp {
	if t.IsZero() {
		return nil
	}
	return &Timestamp{t.Unix(), int32(t.Nanosecond())}
}

// Time is the zero time for nil.
func (t *Timestamp) Time() time.Time {
	if t == nil {
		return time.Time{}
	}
	return time.Unix(t.Seconds, int64(t.Nanos)).UTC()
}

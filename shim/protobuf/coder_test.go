package protobuf

import "testing"

// nested is a message in itself.
type nested struct {
	name string
	in   *nested
	all  []nested
	list []uint64
	m    map[string]string
	any  *Any
}

func (n *nested) Fields(c *Coder) {
	c.Text(1, &n.name)
	One(c, 2, &n.in)
	Many(c, 3, &n.all)
	c.Numbers(4, &n.list)
	c.Map(5, &n.m)
	One(c, 6, &n.any)
}

func TestDepth(t *testing.T) {
	m := &nested{}
	for range maxDepth + 2 {
		m = &nested{in: m}
	}
	if err := Unmarshal(Marshal(m), &nested{}); err == nil {
		t.Error("a message that is nested too deep was decoded")
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add(Marshal(&nested{name: "a", in: &nested{name: "b"}, all: []nested{{}, {name: "c"}}, list: []uint64{1, 1 << 40}, m: map[string]string{"k": "v"}, any: &Any{"t", []byte("v")}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &nested{}
		if Unmarshal(data, m) != nil {
			return
		}
		again := &nested{}
		if err := Unmarshal(Marshal(m), again); err != nil {
			t.Fatalf("what was decoded and encoded cannot be decoded: %v", err)
		}
	})
}

package cgroup

import "github.com/davit-containers/davit/libcontainer/internal/object"

// MarshalJSON gives the form that is kept in a state file.
func (s Saved) MarshalJSON() ([]byte, error) {
	w := object.NewWriter()
	w.Text("driver", string(s.Driver))
	w.Flag("unified", s.Unified)
	w.Flag("rootless", s.Rootless)
	w.Flag("placed", s.Placed)
	w.Texts("paths", s.Paths)
	w.List("parents", s.Parents)
	if s.Unit != (Unit{}) {
		w.Raw("unit", s.Unit.encode())
	}
	return w.Close(), nil
}

func (u Unit) encode() []byte {
	w := object.NewWriter()
	w.Text("slice", u.Slice)
	w.Text("prefix", u.Prefix)
	w.Text("name", u.Name)
	return w.Close()
}

// UnmarshalJSON reads that form. Unknown fields are skipped.
func (s *Saved) UnmarshalJSON(data []byte) error {
	r := object.NewReader(data)
	return r.Object(func(key string) error {
		switch key {
		case "driver":
			return r.Text((*string)(&s.Driver))
		case "unified":
			return r.Flag(&s.Unified)
		case "rootless":
			return r.Flag(&s.Rootless)
		case "placed":
			return r.Flag(&s.Placed)
		case "paths":
			return r.Texts(&s.Paths)
		case "parents":
			return r.List(&s.Parents)
		case "unit":
			return s.Unit.decode(r)
		}
		return r.Raw(new([]byte))
	})
}

func (u *Unit) decode(r *object.Reader) error {
	return r.Object(func(key string) error {
		switch key {
		case "slice":
			return r.Text(&u.Slice)
		case "prefix":
			return r.Text(&u.Prefix)
		case "name":
			return r.Text(&u.Name)
		}
		return r.Raw(new([]byte))
	})
}

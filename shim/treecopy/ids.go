package treecopy

// IDs are the ranges of a user namespace.
type IDs []Range

// Range maps Count ids from Inside on to those from Outside on.
type Range struct{ Inside, Outside, Count uint32 }

// overflow is who files of nobody in a namespace belong to.
const overflow = 65534

// Out is an id of the namespace as it is outside.
func (ids IDs) Out(id int) int {
	for _, r := range ids {
		if id >= int(r.Inside) && id < int(r.Inside)+int(r.Count) {
			return id - int(r.Inside) + int(r.Outside)
		}
	}
	return unmapped(ids, id)
}

// In is an id as it is in the namespace.
func (ids IDs) In(id int) int {
	for _, r := range ids {
		if id >= int(r.Outside) && id < int(r.Outside)+int(r.Count) {
			return id - int(r.Outside) + int(r.Inside)
		}
	}
	return unmapped(ids, id)
}

func unmapped(ids IDs, id int) int {
	if len(ids) == 0 {
		return id
	}
	return overflow
}

package sys

// UnsupportedError says that this kernel, or this machine, lacks a feature
// that the configuration asks for.
type UnsupportedError struct {
	// Feature is what is missing, as the start of a sentence: "intelRdt",
	// "mount_setattr(2)".
	Feature string
	// Since says where it would be found: "Linux 5.12", or what to do for it.
	Since string
}

// Error is one line: the feature, and in brackets where it would be found.
func (e *UnsupportedError) Error() string {
	if e.Since == "" {
		return e.Feature + " is not supported on this machine"
	}
	return e.Feature + " is not supported on this machine [needs " + e.Since + "]"
}

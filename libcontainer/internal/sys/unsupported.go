package sys

// UnsupportedError says that this kernel, or this machine, lacks a feature that
// is asked for.
type UnsupportedError struct {
	// Feature is what is asked for: "intelRdt", "mount_setattr(2)".
	Feature string
	// Why is what was found, "not supported on this machine" if it is empty.
	Why string
	// Since is where the feature would be found: "Linux 5.12".
	Since string
}

// Error is one line: the feature, why there is none, and in brackets what it
// needs.
func (e *UnsupportedError) Error() string {
	why := e.Why
	if why == "" {
		why = "not supported on this machine"
	}
	if e.Since == "" {
		return e.Feature + ": " + why
	}
	return e.Feature + ": " + why + " [needs " + e.Since + "]"
}

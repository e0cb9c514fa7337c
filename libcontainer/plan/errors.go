package plan

import "fmt"

// SpecError says which field of the configuration cannot be followed, and why.
type SpecError struct {
	Field   string // such as "linux.namespaces"
	Section string // of the runtime specification, such as "config-linux.md#namespaces"
	Reason  string
}

// Error is one line.
func (e *SpecError) Error() string { return e.in("config.json") }

func (e *SpecError) in(document string) string {
	return fmt.Sprintf("%s: %s: %s (%s)", document, e.Field, e.Reason, e.Section)
}

// addedError is a SpecError of a mount that is added, which does not stand in
// config.json.
type addedError struct{ *SpecError }

func (e addedError) Error() string { return e.in("mounts.json") }

func (e addedError) Unwrap() error { return e.SpecError }

// UnsupportedError says what the host lacks.
type UnsupportedError struct {
	Field   string // of the configuration that asks for it
	Feature string
	Hint    string // what would help; may be ""
}

// Error is one line, the hint in brackets.
func (e *UnsupportedError) Error() string {
	text := fmt.Sprintf("config.json: %s: this host has no %s", e.Field, e.Feature)
	if e.Hint != "" {
		text += " [" + e.Hint + "]"
	}
	return text
}

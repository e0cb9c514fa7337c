package engine

import "fmt"

// Kind is the kind of a refusal.
type Kind int

// The kinds.
const (
	NotFound Kind = iota
	AlreadyExists
	FailedPrecondition
	InvalidArgument
	Unimplemented
)

// Refusal is an error of whoever asked.
type Refusal struct {
	Kind Kind
	Text string
}

// Error is the text.
func (r *Refusal) Error() string { return r.Text }

func refuse(kind Kind, format string, args ...any) error {
	return &Refusal{kind, fmt.Sprintf(format, args...)}
}

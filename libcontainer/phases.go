package libcontainer

import "github.com/davit-containers/davit/libcontainer/trace"

// phase is one part of an operation, by the name that a trace shows.
type phase[T any] struct {
	name string
	do   func(T) error
}

// inOrder does the phases one after the other, up to the first that fails.
func inOrder[T any](t *trace.Recorder, on T, phases []phase[T]) error {
	for _, p := range phases {
		span := t.Start(p.name)
		err := p.do(on)
		span.End(err)
		if err != nil {
			return err
		}
	}
	return nil
}

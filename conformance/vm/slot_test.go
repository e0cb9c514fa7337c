package vm

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// TestTakeSlot: who waits gets the slot that comes free first, whichever that is.
func TestTakeSlot(t *testing.T) {
	for ends := range slots {
		t.Run(fmt.Sprintf("guest %d ends", ends), func(t *testing.T) {
			cache := t.TempDir()
			guests := make([]func(), slots)
			for i := range guests {
				guests[i] = taken(t, t.Context(), cache)
			}
			ended, end := context.WithCancel(t.Context())
			end()
			if _, err := takeSlot(ended, cache); !errors.Is(err, context.Canceled) {
				t.Fatalf("a guest more than there are slots, with no time to wait: %v", err)
			}
			guests[ends]()
			next, err := firstSlot(t.Context(), cache)
			if err != nil {
				t.Fatal(err)
			}
			next()
			for i, end := range guests {
				if i != ends {
					end()
				}
			}
			for range slots {
				defer taken(t, t.Context(), cache)()
			}
		})
	}
}

// taken is a slot's end, once it could be taken.
func taken(t *testing.T, ctx context.Context, cache string) func() {
	t.Helper()
	release, err := takeSlot(ctx, cache)
	if err != nil {
		t.Error(err)
		return func() {}
	}
	return release
}

package sys

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReadSmall(t *testing.T) {
	const path = "/proc/sys/kernel/ostype"
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{4, 64} {
		got, err := ReadSmall(path, make([]byte, size))
		if err != nil || string(got) != string(want[:min(size, len(want))]) {
			t.Errorf("%d bytes: got %q, %v", size, got, err)
		}
	}
	if _, err := ReadSmall("/proc/none", make([]byte, 1)); !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v", err)
	}
}

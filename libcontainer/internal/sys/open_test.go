package sys

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOpenat2(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(path, "link")); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	tests := []struct {
		name, path string
		resolve    uint64
		want       error
	}{
		{"plain", "file", 0, nil},
		{"missing", "none", 0, unix.ENOENT},
		{"out of the root stays in it", "../../file", unix.RESOLVE_IN_ROOT, nil},
		{"link in the root", "link", unix.RESOLVE_IN_ROOT, unix.ENOENT},
		{"beneath", "../file", unix.RESOLVE_BENEATH, unix.EXDEV},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Openat2(dir, tt.path, &unix.OpenHow{Flags: unix.O_PATH, Resolve: tt.resolve})
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err == nil {
				checkCloexec(t, f)
				f.Close()
			}
		})
	}
}

func TestRetry(t *testing.T) {
	tries := 0
	err := Retry(func() error {
		if tries++; tries < 3 {
			return unix.EINTR
		}
		return unix.EBADF
	})
	if err != unix.EBADF || tries != 3 {
		t.Errorf("got %v after %d tries", err, tries)
	}
}

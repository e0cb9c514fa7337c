package libcontainer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// CVE-2024-21626: what our caller left open is not for ps.
func TestProcessTableDescriptors(t *testing.T) {
	fd, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0) // without close-on-exec
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	dir := t.TempDir()
	script := "#!/bin/sh\necho $1; readlink /proc/self/fd/*\ntrue\n"
	if err := os.WriteFile(filepath.Join(dir, "ps"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	got, err := ProcessTable([]string{"-ef"})
	if err != nil || !strings.HasPrefix(string(got), "-ef\n") || strings.Contains(string(got), "/etc/passwd") {
		t.Errorf("ps has %s, %v", got, err)
	}
}

package transports

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFullDisk: where there is no space, each command says so in one line, and leaves
// what there was.
func TestFullDisk(t *testing.T) {
	if *onDisk {
		*onDisk = false // its disks are full with little
		defer func() { *onDisk = true }()
	}
	l := newLab(t)
	dir := scratch(t)
	shim := l.shim(dir)
	shim("pull", l.name("gzip"), "moved")
	shim("save", "-o", dir+"/saved", "moved")
	shim("export", "-o", dir+"/files", "moved")
	small := filepath.Join(dir, "small")
	l.must(os.Mkdir(small, 0o755))
	for name, args := range map[string][]string{
		"save":                  {"save", "-o", small + "/saved", "moved"},
		"save as OCI archive":   {"save", "--format", "oci-archive", "-o", small + "/saved", "moved"},
		"save as a layout":      {"save", "--format", "oci-dir", "-o", small + "/saved", "moved"},
		"export":                {"export", "-o", small + "/files", "moved"},
		"unpack":                {"unpack", "moved", small + "/plain"},
		"bundle":                {"bundle", "--rootfs", "plain", "moved", small + "/bundle"},
		"pull":                  {"--root", small + "/store", "pull", l.name("zstd"), "moved"},
		"load":                  {"--root", small + "/store", "load", "-i", dir + "/saved"},
		"import":                {"--root", small + "/store", "import", "--compression", "none", dir + "/files", "moved"},
		"commit, the disk full": {"commit", "--compression", "none", filepath.Join(dir, "bundle"), "committed"},
	} {
		t.Run(name, func(t *testing.T) { l.full(t, dir, small, args) })
	}
}

// full runs a command with two megabytes for what it writes.
func (l *lab) full(t *testing.T, dir, small string, args []string) {
	l.must(unix.Mount("davit-test", small, "tmpfs", 0, "size=2m"))
	defer func() { l.must(unix.Unmount(small, unix.MNT_DETACH)) }()
	store := dir + "/store"
	if args[0] == "commit" {
		store = l.committable(dir, small)
	}
	if args[0] != "--root" {
		args = append([]string{"--root", store}, args...)
	}
	if args[1] == small+"/store" {
		l.run(l.program, args[0], args[1], "images") // so that there is a store
	}
	before := files(t, small)
	cmd := exec.CommandContext(t.Context(), l.program, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	var said strings.Builder
	cmd.Stderr = &said
	err := cmd.Run()
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	last := lines[len(lines)-1]
	if err == nil || strings.Count(last, "no space left on device") != 1 || strings.Count(said.String(), "no space left") != 1 {
		t.Errorf("%v, and it said %q", err, said.String())
	}
	if after := files(t, small); !slices.Equal(after, before) {
		t.Errorf("of what there was\n%q\nthere is now\n%q", before, after)
	}
}

// committable makes a small image and a bundle of it, in which is more than there is
// space for.
func (l *lab) committable(dir, small string) string {
	bundle := filepath.Join(dir, "bundle")
	l.run("tar", "-cf", dir+"/empty.tar", "-T", "/dev/null")
	l.run(l.program, "--root", small+"/store", "import", dir+"/empty.tar", "empty")
	l.run(l.program, "--root", small+"/store", "bundle", "--progress", "none", "empty", bundle, "true")
	l.Cleanup(func() {
		// The store is gone with its disk.
		l.must(errors.Join(unix.Unmount(filepath.Join(bundle, "rootfs"), unix.MNT_DETACH), os.RemoveAll(bundle)))
	})
	l.must(os.WriteFile(filepath.Join(bundle, "rootfs/large"), []byte(strings.Repeat("x", 3<<20)), 0o644))
	return small + "/store"
}

// files are the names of all that is in a directory, but for what a store locks.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.Name() != "lock" {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// shifted is the host's id of root in the user namespace of a Debian container.
const shifted = 300000

// debianCache is where the trees are kept: a directory in which a user
// namespace's root may look, as root's home is not.
const debianCache = "/var/cache/davit"

// A root file system that people run: Debian's smallest, with and without a
// user namespace.
func TestDebian(t *testing.T) {
	needs.Root(t, "it makes a root file system and containers")
	trees := debianTrees(t)
	for _, kind := range []string{"native", "userns"} {
		t.Run(kind, func(t *testing.T) {
			params := scripts("testdata/debian")
			params.Cmds["debian"] = func(ts *testscript.TestScript, neg bool, args []string) {
				debianBundle(ts, filepath.Join(trees, kind), kind == "userns", args)
			}
			testscript.Run(t, params)
		})
	}
}

// debianBundle makes a bundle on a tree: debian DIR PROGRAM [ARGUMENT...].
func debianBundle(ts *testscript.TestScript, tree string, userns bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: debian DIR PROGRAM [ARGUMENT...]")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(ts.Exec("davit", "spec", "--bundle", dir))
	argv, err := json.Marshal(args[1:])
	ts.Check(err)
	values := [][2]string{
		{"root.path", fmt.Sprintf("%q", tree)}, {"process.args", string(argv)}, {"process.terminal", "false"}, {"process.rlimits", "[]"},
		{"mounts.-", `{"destination":"/tmp","type":"tmpfs","source":"tmpfs"}`},
	}
	if userns {
		ids := fmt.Sprintf(`[{"containerID":0,"hostID":%d,"size":65536}]`, shifted)
		values = append(values, [2]string{"linux.namespaces.-", `{"type":"user"}`}, [2]string{"linux.uidMappings", ids}, [2]string{"linux.gidMappings", ids})
	}
	for _, v := range values {
		ts.Check(edit(filepath.Join(dir, "config.json"), v[0], v[1]))
	}
}

// debianTrees is a directory with two root file systems, "native" and
// "userns", which differ in their files' owners. They are made once for a
// recipe, and kept.
func debianTrees(t *testing.T) string {
	t.Helper()
	recipe, err := os.ReadFile("testdata/debian/build")
	check(t, err)
	suite := debianSuite()
	trees := filepath.Join(debianCache, fmt.Sprintf("debian-%x", sha256.Sum256([]byte(suite+string(recipe))))[:24])
	check(t, os.MkdirAll(filepath.Dir(trees), 0o755))
	unlock := lockFile(t, trees+".lock")
	defer unlock()
	if _, err := os.Stat(trees); err == nil {
		return trees
	}
	needs.Program(t, "debootstrap")
	making := trees + ".making"
	check(t, os.RemoveAll(making))
	check(t, os.Mkdir(making, 0o755))
	buildDebian(t, suite, making)
	check(t, os.Rename(making, trees))
	return trees
}

// buildDebian makes both trees. Without Debian's archive the test is skipped.
func buildDebian(t *testing.T, suite, dir string) {
	t.Helper()
	native, userns := filepath.Join(dir, "native"), filepath.Join(dir, "userns")
	out, err := exec.Command("testdata/debian/build", suite, native).CombinedOutput()
	for _, word := range []string{"Failed getting release file", "Couldn't download", "Invalid Release"} {
		if err != nil && strings.Contains(string(out), word) {
			t.Skipf("needs Debian's archive: %s", lastLine(out))
		}
	}
	if err != nil {
		t.Fatalf("debootstrap: %v: %s", err, out)
	}
	if out, err := exec.Command("cp", "-a", native, userns).CombinedOutput(); err != nil {
		t.Fatalf("copying: %v: %s", err, out)
	}
	check(t, filepath.WalkDir(userns, shift))
}

// shift gives a file to the owner's counterpart in the user namespace.
func shift(path string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	if err := os.Lchown(path, int(st.Uid)+shifted, int(st.Gid)+shifted); err != nil || info.Mode()&fs.ModeSymlink != 0 {
		return err
	}
	return unix.Chmod(path, st.Mode&0o7777) // which a new owner takes set-user-ID from
}

// debianSuite is this machine's, where it is a Debian.
func debianSuite() string {
	data, _ := os.ReadFile("/etc/os-release")
	for line := range strings.Lines(string(data)) {
		if suite, found := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); found && strings.Contains(string(data), "ID=debian") {
			return suite
		}
	}
	return "stable"
}

// lockFile waits for a lock, and gives what releases it.
func lockFile(t *testing.T, path string) func() {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	check(t, err)
	check(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
	return func() { f.Close() }
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

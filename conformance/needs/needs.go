package needs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Root skips a test of a user who is not root. why says what it would do.
func Root(t testing.TB, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: " + why)
	}
}

// Kernel skips the test, or fails it, where err says that a feature of the
// kernel does not work; nil means that it does.
func Kernel(t testing.TB, f Feature, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if missing := f.missing(thisKernel()); missing != "" {
		t.Skipf("needs %s, which this kernel lacks (%s): %v", f.Name, missing, err)
	}
	t.Fatalf("%s does not work, although this kernel has it: %v", f.Name, err)
}

// Program is the path of a program of Debian's. Where it is missing the test is
// skipped, or fails if the package that has it is installed.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		absent(t, name, packageOf(name), err)
	}
	return path
}

// File skips the test where a file of a package of Debian's is missing, or
// fails it if that package is installed.
func File(t testing.TB, path, debianPackage string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		absent(t, path, debianPackage, err)
	}
}

// absent ends a test that needs something of a package.
func absent(t testing.TB, what, debianPackage string, err error) {
	t.Helper()
	if Installed(debianPackage) {
		t.Fatalf("%s is missing, although Debian's package %s is installed: %v", what, debianPackage, err)
	}
	t.Skipf("needs %s, of Debian's package %s [make deps]: %v", what, debianPackage, err)
}

// packages are those whose name is not their program's.
var packages = map[string]string{
	"busybox": "busybox-static", "newuidmap": "uidmap", "newgidmap": "uidmap", "ip": "iproute2", "ps": "procps",
	"pasta": "passt", "pzstd": "zstd", "setpriv": "util-linux", "unshare": "util-linux", "script": "bsdutils",
	"dockerd": "docker.io", "docker": "docker.io", "ctr": "containerd", "true": "coreutils", "sleep": "coreutils",
	"aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu", "x86_64-linux-gnu-gcc": "gcc", "qemu-aarch64-static": "qemu-user-static",
}

func packageOf(program string) string {
	if name := packages[program]; name != "" {
		return name
	}
	return program
}

// Built is the absolute path of a program of the tree's own, which make build
// leaves in bin. The test is skipped where it is missing.
func Built(t testing.TB, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Skipf("needs a program that is not built [make build]: %v", err)
	}
	return path
}

// Installed tells whether a package of Debian's is, for what has no test to skip.
func Installed(debianPackage string) bool {
	_, err := os.Stat("/var/lib/dpkg/info/" + debianPackage + ".list")
	return err == nil
}

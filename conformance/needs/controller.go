package needs

import (
	"os"
	"strings"
	"testing"
)

// Controller skips a test that finds no controller in a cgroup hierarchy of the
// given version, 1 or 2, and says where the kernel has it; if that is where the
// test looked, it fails.
func Controller(t testing.TB, name string, version int) {
	t.Helper()
	table, err := os.ReadFile("/proc/cgroups")
	if err != nil {
		t.Fatal(err)
	}
	where := 0
	if unified, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); err == nil && hasWord(string(unified), name) {
		where = 2
	}
	if onLegacy(string(table), name) {
		where = 1
	}
	switch where {
	case version:
		t.Fatalf("the %s controller was not found on cgroup v%d, although it is there", name, version)
	case 0:
		t.Skipf("needs the %s controller of cgroups, which this machine has on no hierarchy", name)
	default:
		t.Skipf("needs the %s controller on cgroup v%d: this machine has it on v%d", name, version, where)
	}
}

// onLegacy tells whether /proc/cgroups shows a controller on a v1 hierarchy:
// name, number of the hierarchy, number of cgroups, whether it is enabled.
func onLegacy(table, name string) bool {
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); len(f) == 4 && f[0] == name {
			return f[1] != "0" && f[3] == "1"
		}
	}
	return false
}

func hasWord(text, word string) bool {
	for w := range strings.FieldsSeq(text) {
		if w == word {
			return true
		}
	}
	return false
}

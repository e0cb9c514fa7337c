package needs

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// capabilities are the numbers of those that tests ask for.
var capabilities = map[string]int{"CAP_SYS_RESOURCE": unix.CAP_SYS_RESOURCE}

// Capability skips a test for which this process may never have a capability: one
// that its bounding set lacks, which a machine can keep from root too. why says who
// wants it.
func Capability(t testing.TB, name, why string) {
	t.Helper()
	number, known := capabilities[name]
	if !known {
		t.Fatalf("no test asks for a capability %s", name)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	bounding, err := boundingSet(string(status))
	if err != nil {
		t.Fatal(err)
	}
	if bounding>>number&1 == 0 {
		t.Skipf("needs %s in the bounding set, which is %x here: %s", name, bounding, why)
	}
}

// boundingSet is that of a process, as its status in proc has it.
func boundingSet(status string) (uint64, error) {
	_, rest, _ := strings.Cut(status, "\nCapBnd:")
	line, _, _ := strings.Cut(rest, "\n")
	return strconv.ParseUint(strings.TrimSpace(line), 16, 64)
}

// InitialCgroups skips a test for what can be done in the machine's first cgroup
// namespace alone. why says what that is.
// Linux: include/uapi/linux/nsfs.h, CGROUP_NS_INIT_INO.
func InitialCgroups(t testing.TB, why string) {
	t.Helper()
	const first = "cgroup:[4026531835]"
	namespace, err := os.Readlink("/proc/self/ns/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	if namespace != first {
		t.Skipf("needs the machine's first cgroup namespace, not %s: %s", namespace, why)
	}
}

// Terminal ends a test that could not open a terminal, for err: it is skipped where
// the machine has /dev/ptmx for root alone, and fails otherwise. nil means that it
// could.
func Terminal(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var st unix.Stat_t
	if statErr := unix.Stat("/dev/ptmx", &st); statErr != nil || os.Geteuid() == 0 || st.Mode&0o006 == 0o006 {
		t.Fatalf("opening a terminal: %v", err)
	}
	t.Skipf("needs a /dev/ptmx that every user may open, not of mode %04o: %v", st.Mode&0o7777, err)
}

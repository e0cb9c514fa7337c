package rootfs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// inNamespaceVar is set for the tests that TestInUserNamespace runs.
const inNamespaceVar = "ROOTFS_TEST_IN_USERNS"

// TestInUserNamespace runs the tests of this package again as root of a user
// namespace: overlays with userxattr. Left out are this one, the long ones, and
// what needs devices and capabilities of the initial namespace.
func TestInUserNamespace(t *testing.T) {
	needs.Root(t, "it maps several ids")
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	scratch := dir + "/scratch"
	if err := os.Mkdir(scratch, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(scratch, 100000, 100000); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/fd/3", "-test.v", "-test.skip=Attack|Deep|Killed$|TestInUserNamespace|TestPlainKeepsWhatIsRare")
	cmd.ExtraFiles = []*os.File{self}
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), inNamespaceVar+"=1", "TMPDIR="+scratch)
	ids := []syscall.SysProcIDMap{{HostID: 100000, Size: 65536}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{}, Pdeathsig: syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, test := range []string{"TestMount/500_layers,_lists", "TestPlainEqualsOverlay", "TestProbe"} {
		if !bytes.Contains(out, []byte("--- PASS: "+test+" ")) {
			t.Errorf("%s did not pass in the user namespace", test)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

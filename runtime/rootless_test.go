package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// userDir is set where the scripts of a user run: a directory that is his.
const userDir = "DAVIT_TEST_USER_DIR"

// asUser becomes a user, in a mount namespace in which he is known: $1 is laid
// over /etc.
const asUser = `
mount -t overlay overlay -o lowerdir="$1/etc":/etc /etc
exec setpriv --reuid 4242 --regid 4242 --clear-groups --inh-caps=-all -- "$1/davit.test" -test.run='^TestUserScripts$' -test.v`

// TestUserScripts runs the command line as a user without rights does.
func TestUserScripts(t *testing.T) {
	if os.Geteuid() == 0 {
		runScriptsAsUser(t)
		return
	}
	p := scripts("testdata/user")
	if dir := os.Getenv(userDir); dir != "" {
		p.Dir = dir + "/scripts"
	}
	testscript.Run(t, p)
}

// runScriptsAsUser has a user run this test again.
func runScriptsAsUser(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{dir, filepath.Dir(dir), dir + "/etc", dir + "/tmp"} {
		must(errors.Join(os.MkdirAll(d, 0o755), os.Chmod(d, 0o755)))
	}
	must(os.Chown(dir+"/tmp", 4242, 4242))
	must(os.CopyFS(dir+"/scripts", os.DirFS("testdata/user")))
	for name, text := range map[string]string{
		"passwd": "root:x:0:0::/:/bin/sh\ndavit-user:x:4242:4242::/:/bin/sh\n", "group": "root:x:0:\n",
		"subuid": "davit-user:100000:65536\n", "subgid": "davit-user:100000:65536\n",
	} {
		must(os.WriteFile(dir+"/etc/"+name, []byte(text), 0o644))
	}
	self, err := os.ReadFile("/proc/self/exe")
	must(err)
	must(os.WriteFile(dir+"/davit.test", self, 0o755))
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-ec", asUser, "sh", dir)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), userDir+"="+dir, "TMPDIR="+dir+"/tmp", "USER=davit-user")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("--- SKIP")) || !bytes.Contains(out, []byte("--- PASS: TestUserScripts/life")) {
		t.Errorf("%v\n%s", err, out)
	}
}

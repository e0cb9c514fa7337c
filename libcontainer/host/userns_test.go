package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestUserNSRefusal(t *testing.T) {
	for _, test := range []struct{ name, file, value, want string }{
		{name: "nothing is set"},
		{"namespaces are left", "user/max_user_namespaces", "100", ""},
		{"none is left", "user/max_user_namespaces", "0", "user.max_user_namespaces is 0"},
		{"Debian", "kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone is 0"},
		{"Debian, allowed", "kernel/unprivileged_userns_clone", "1", ""},
		{"Ubuntu", "kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor profile that allows userns"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir() + "/"
			if test.file != "" {
				if err := os.MkdirAll(filepath.Dir(dir+test.file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(dir+test.file, []byte(test.value+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got := userNSRefusal(dir)
			if !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestFiltered(t *testing.T) {
	want, err := exec.Command("sh", "-c", "grep -c '^Seccomp:.*2$' /proc/self/status").Output()
	if len(want) == 0 {
		t.Fatal(err)
	}
	if got := Filtered(); got != (strings.TrimSpace(string(want)) == "1") {
		t.Errorf("got %v, a child says %q", got, want)
	}
}

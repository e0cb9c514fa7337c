package host

import (
	"bytes"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// userNSSettings are the kernel's settings that keep users without privileges
// from making a user namespace, or from having rights in it.
//
// Source: user_namespaces(7); kernel.unprivileged_userns_clone is Debian's,
// kernel.apparmor_restrict_unprivileged_userns Ubuntu's.
var userNSSettings = [...]struct{ file, refuses, words string }{
	{"user/max_user_namespaces", "0", "user.max_user_namespaces is 0, and must be greater"},
	{"kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone is 0, and must be 1"},
	{
		"kernel/apparmor_restrict_unprivileged_userns", "1",
		"kernel.apparmor_restrict_unprivileged_userns is 1: davit needs an AppArmor profile that allows userns, or the setting must be 0",
	},
}

// UserNSRefusal says in words which setting of the kernel keeps a user without
// privileges from having a user namespace, "" where none does.
func UserNSRefusal() string { return userNSRefusal("/proc/sys/") }

func userNSRefusal(dir string) string {
	for _, s := range userNSSettings {
		data, err := sys.ReadSmall(dir+s.file, make([]byte, 16))
		if err == nil && string(bytes.TrimSpace(data)) == s.refuses {
			return s.words
		}
	}
	return ""
}

// Filtered tells whether this process is under a seccomp filter, as in a
// container: what the kernel knows may be refused then.
func Filtered() bool {
	data, err := sys.ReadSmall("/proc/thread-self/status", make([]byte, 8192))
	return err == nil && bytes.Contains(data, []byte("\nSeccomp:\t2"))
}

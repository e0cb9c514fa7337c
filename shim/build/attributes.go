package build

import (
	"strings"

	"golang.org/x/sys/unix"
)

// attributesOf are the names of the extended attributes that are copied: none that
// are overlayfs's marks, and not the label, which is the machine's.
func attributesOf(path string) []string {
	size, err := unix.Listxattr(path, nil)
	if err != nil || size == 0 {
		return nil
	}
	buf := make([]byte, size)
	if size, err = unix.Listxattr(path, buf); err != nil {
		return nil
	}
	var names []string
	for name := range strings.SplitSeq(strings.TrimRight(string(buf[:size]), "\x00"), "\x00") {
		overlay := strings.HasPrefix(name, "trusted.overlay.") || strings.HasPrefix(name, "user.overlay.")
		if name != "" && name != "security.selinux" && !overlay {
			names = append(names, name)
		}
	}
	return names
}

// attribute is the value of one.
func attribute(path, name string) ([]byte, error) {
	size, err := unix.Getxattr(path, name, nil)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, size)
	size, err = unix.Getxattr(path, name, buf)
	return buf[:max(size, 0)], err
}

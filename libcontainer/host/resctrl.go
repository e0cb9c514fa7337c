package host

import (
	"sync"

	"golang.org/x/sys/unix"
)

const resctrlRoot = "/sys/fs/resctrl"

// Resctrl returns where the resctrl file system is mounted, "" where it is not.
func Resctrl() string { return resctrl() }

var resctrl = sync.OnceValue(func() string {
	switch fsType(resctrlRoot) {
	case 0:
		return "" // the kernel makes the directory wherever it has resctrl
	case unix.RDTGROUP_SUPER_MAGIC:
		return resctrlRoot
	}
	mounts, err := mounts("resctrl")
	if err != nil || len(mounts) == 0 {
		return ""
	}
	return mounts[0].point
})

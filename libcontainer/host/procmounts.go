package host

import (
	"github.com/moby/sys/mountinfo"
)

// FullProcMounts are the mount points of whole proc and sysfs file systems,
// in mount order.
func FullProcMounts() ([]string, error) {
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return m.Root != "/" || m.FSType != "proc" && m.FSType != "sysfs", false
	})
	if err != nil {
		return nil, err
	}
	points := make([]string, len(mounts))
	for i, m := range mounts {
		points[i] = m.Mountpoint
	}
	return points, nil
}

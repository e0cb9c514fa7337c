package host

// FullProcMounts are the mount points of whole proc and sysfs file systems,
// in mount order.
func FullProcMounts() ([]string, error) {
	all, err := mounts("proc", "sysfs")
	var points []string
	for _, m := range all {
		if m.root == "/" {
			points = append(points, m.point)
		}
	}
	return points, err
}

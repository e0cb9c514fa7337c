package libcontainer

import "github.com/davit-containers/davit/libcontainer/cgroup"

// WatchOOM begins to listen to the kernel killing processes of the container
// for want of memory, for callers who wait for much else; Watch is for the
// others. Without a memory controller it is nil. It is the caller's to close.
func (c *Container) WatchOOM() (*cgroup.OOMWatch, error) {
	m, err := c.manager()
	if err != nil {
		return nil, err
	}
	return m.WatchOOM()
}

// OOM returns how many of the container's processes the kernel has killed for
// want of memory, and the cgroup whose limit they hit. It must be called before
// the container is deleted.
func (c *Container) OOM() (kills uint64, level string, err error) {
	m, err := c.manager()
	if err != nil {
		return 0, "", err
	}
	return m.OOM()
}

package libcontainer

import (
	"encoding/json"

	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/libcontainer/intelrdt"
)

// prepareRdt decides on the container's resctrl group and gives what the
// state keeps of it; nil for none.
// Spec: config-linux.md#intelrdt
func (c *creation) prepareRdt() ([]byte, error) {
	l := c.bundle.Spec.Linux
	if l == nil || l.IntelRdt == nil {
		return nil, nil
	}
	root := host.Resctrl()
	group, err := intelrdt.Prepare(root, c.id, l.IntelRdt)
	if err != nil {
		return nil, err
	}
	c.rdt = group
	return json.Marshal(group)
}

// applyRdt puts the container's process into its resctrl group.
func (c *creation) applyRdt() error {
	if c.rdt == nil {
		return nil
	}
	return c.rdt.Apply(c.bundle.Spec.Linux.IntelRdt, c.stage.Pid)
}

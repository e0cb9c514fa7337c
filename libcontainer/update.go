package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/cgroup"
	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/libcontainer/intelrdt"
	"github.com/davit-containers/davit/libcontainer/spec"
)

// Update says which limits of a container are to change. What it does not set
// stays.
type Update struct {
	Resources     *specs.LinuxResources // device rules do not change
	L3CacheSchema string                // of intelRdt, such as "L3:0=f"
	MemBwSchema   string                // of intelRdt, such as "MB:0=50"
}

// updated is what the state keeps of updates: it stands for what the
// configuration has in these places.
type updated struct {
	Resources *specs.LinuxResources `json:"resources,omitempty"`
	IntelRdt  *specs.LinuxIntelRdt  `json:"intelRdt,omitempty"`
}

// Update changes limits of a container that has not stopped. When one of them
// cannot be changed, all are as they were. ErrNotRunning: it has stopped.
func (c *Container) Update(u Update) error {
	if u.Resources == nil {
		u.Resources = &specs.LinuxResources{}
	}
	if err := spec.ValidateResources(u.Resources); err != nil {
		return err
	}
	if err := c.lockAlive(); err != nil {
		return err
	}
	defer c.dir.Unlock()
	change, err := c.prepareUpdate(u)
	if err != nil {
		return err
	}
	for _, w := range change.cgroup.Warnings() {
		c.runtime.warn(w)
	}
	return change.run()
}

// lockAlive takes the lock of a container that has not stopped.
func (c *Container) lockAlive() error {
	err := c.lock()
	if err != nil {
		return err
	}
	if err = c.checkAlive(); err != nil {
		c.dir.Unlock()
	}
	return err
}

func (c *Container) checkAlive() error {
	status, err := c.Status()
	if err == nil && (status == Stopped || status == Creating) {
		return ErrNotRunning
	}
	return err
}

// updating is one update while it is made.
type updating struct {
	container *Container
	cgroup    *cgroup.Update
	rdt       *intelrdt.Group      // nil where it does not change
	schemata  *specs.LinuxIntelRdt // what changes of it
	before    []byte               // the state's record of earlier updates
	after     []byte
}

// prepareUpdate decides all that can be decided before anything changes.
func (c *Container) prepareUpdate(u Update) (*updating, error) {
	s, err := c.config()
	if err != nil {
		return nil, err
	}
	m, err := c.manager()
	if err != nil {
		return nil, err
	}
	linux := s.Linux
	if linux == nil {
		linux = &specs.Linux{}
	}
	change := &updating{container: c, before: c.state.Updated}
	if change.cgroup, err = m.PrepareUpdate(linux.Resources, u.Resources); err != nil {
		return nil, err
	}
	record := updated{Resources: change.cgroup.Resources(), IntelRdt: linux.IntelRdt}
	if record.IntelRdt, err = change.prepareRdt(linux.IntelRdt, u); err != nil {
		return nil, err
	}
	change.after, err = json.Marshal(record)
	return change, err
}

// prepareRdt returns the container's intelRdt as it will be.
// Compat(runc): the texts of its errors.
func (u *updating) prepareRdt(old *specs.LinuxIntelRdt, change Update) (*specs.LinuxIntelRdt, error) {
	if change.L3CacheSchema == "" && change.MemBwSchema == "" {
		return old, nil
	}
	root := host.Resctrl()
	switch {
	case change.L3CacheSchema != "" && !intelrdt.AllocatesCache(root):
		return nil, errors.New("Intel RDT/CAT: l3 cache schema is not enabled")
	case change.MemBwSchema != "" && !intelrdt.AllocatesBandwidth(root):
		return nil, errors.New("Intel RDT/MBA: memory bandwidth schema is not enabled")
	case old == nil || len(u.container.state.IntelRdt) == 0:
		return nil, errors.New("updating a non-existent Intel RDT configuration is not supported")
	}
	var err error
	if u.rdt, err = u.container.rdtGroup(); err != nil {
		return nil, err
	}
	u.schemata = &specs.LinuxIntelRdt{L3CacheSchema: change.L3CacheSchema, MemBwSchema: change.MemBwSchema}
	merged := *old
	if change.L3CacheSchema != "" {
		merged.L3CacheSchema = change.L3CacheSchema
	}
	if change.MemBwSchema != "" {
		merged.MemBwSchema = change.MemBwSchema
	}
	return &merged, nil
}

// run writes the state first, so that it never lacks what is in force, and
// takes everything back where something is refused.
func (u *updating) run() error {
	if err := u.record(u.after); err != nil {
		return err
	}
	schemata, err := u.applyRdt()
	if err == nil {
		err = u.cgroup.Apply()
		if err == nil {
			return nil
		}
		err = errors.Join(err, u.restoreRdt(schemata))
	}
	return errors.Join(err, u.record(u.before))
}

func (u *updating) record(text []byte) error {
	c := u.container
	c.state.Updated, c.spec = text, nil
	return c.dir.Save(c.state)
}

// applyRdt returns the schemata that were before.
func (u *updating) applyRdt() (string, error) {
	if u.rdt == nil {
		return "", nil
	}
	before, err := u.rdt.Schemata()
	if err == nil {
		err = u.rdt.Set(u.schemata)
	}
	return before, err
}

func (u *updating) restoreRdt(schemata string) error {
	if u.rdt == nil {
		return nil
	}
	return u.rdt.SetSchemata(schemata)
}

// rdtGroup is the container's resctrl group; nil where it has none.
func (c *Container) rdtGroup() (*intelrdt.Group, error) {
	if len(c.state.IntelRdt) == 0 {
		return nil, nil
	}
	g, err := intelrdt.Parse(c.state.IntelRdt)
	if err != nil {
		return nil, fmt.Errorf("reading the state of container %s: its resctrl group: %w", c.ID(), err)
	}
	return g, nil
}

// applyUpdates puts into the configuration what updates have changed of it.
func (c *Container) applyUpdates(s *specs.Spec) error {
	if len(c.state.Updated) == 0 {
		return nil
	}
	var u updated
	if err := json.Unmarshal(c.state.Updated, &u); err != nil {
		return fmt.Errorf("reading the state of container %s: its updates: %w", c.ID(), err)
	}
	if s.Linux == nil {
		s.Linux = &specs.Linux{}
	}
	s.Linux.Resources, s.Linux.IntelRdt = u.Resources, u.IntelRdt
	return nil
}

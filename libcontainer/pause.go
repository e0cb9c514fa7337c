package libcontainer

// Pause stops all of the container's processes, and returns when they stand
// still. ErrNotRunning: there are none; ErrPaused: they stand still already.
func (c *Container) Pause() error {
	status, err := c.Status()
	switch {
	case err != nil:
		return err
	case status == Paused:
		return ErrPaused
	case status != Running && status != Created:
		return ErrNotRunning
	}
	m, err := c.manager()
	if err != nil {
		return err
	}
	return m.Freeze()
}

// Resume lets the container's processes go on. ErrNotPaused: they do.
func (c *Container) Resume() error {
	status, err := c.Status()
	if err != nil {
		return err
	}
	if status != Paused {
		return ErrNotPaused
	}
	m, err := c.manager()
	if err != nil {
		return err
	}
	return m.Thaw()
}

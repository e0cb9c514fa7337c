package intelrdt

// Join puts one more process into the group, which another made.
func (g *Group) Join(pid int) error {
	if err := g.addTask(g.Clos, pid); err != nil || g.Mon == "" {
		return err
	}
	return g.addTask(g.Mon, pid)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/assembly"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/events"
)

// containers opens the containers of the store that the global flags name.
func (p *program) containers() (*container.Store, error) {
	root, err := p.globals.directory()
	if err != nil {
		return nil, err
	}
	s, err := container.Open(root)
	if err == nil {
		s.MendBy(mend)
	}
	return s, err
}

// mend ends what runs on of a container whose supervisor was killed with its keeper:
// nobody hears it, nor how it would end. One that was to be removed at its end goes.
// Compat(containerd): it kills the tasks of a shim that has died.
func mend(l *container.Locked, was container.State) error {
	err := assembly.CleanUp(context.Background(), l.Container)
	if err == nil && was.Alive() {
		note(l.Container, "die", map[string]string{"exitCode": strconv.Itoa(container.LostExitCode)})
	}
	if err != nil || !l.Config.AutoRemove {
		return err
	}
	if err = assembly.Remove(context.Background(), l, assembly.RemoveVolumes); err == nil {
		note(l.Container, "destroy", nil)
	}
	return err
}

// container finds a container by its name or ID.
func (p *program) container(ref string) (*container.Container, error) {
	s, err := p.containers()
	if err != nil {
		return nil, err
	}
	return s.Find(ref)
}

// each does something with each of the containers that are named, and prints what
// they were called; what fails with one is no reason to leave the others out.
func (p *program) each(refs []string, do func(c *container.Container) error) error {
	s, err := p.containers()
	if err != nil {
		return err
	}
	var errs []error
	for _, ref := range refs {
		c, err := s.Find(ref)
		if err == nil {
			err = do(c)
		}
		if err == nil {
			_, err = fmt.Fprintln(p.out, ref)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// note appends an event of a container. One that is lost loses nothing else.
func note(c *container.Container, action string, attributes map[string]string) {
	all := map[string]string{"image": c.Config.ImageName, "name": c.Config.Name}
	for _, more := range []map[string]string{c.Config.Labels, attributes} {
		for name, value := range more {
			all[name] = value
		}
	}
	_ = events.Append(c.Store().Root(), events.Event{
		Type: events.Container, Action: action, ID: c.Config.ID, Name: c.Config.Name, Attributes: all,
	})
}

// sweep removes what killed calls left of containers. What cannot be removed now
// is no business of this call.
func sweep(ctx context.Context, s *container.Store) {
	_, _ = assembly.Sweep(ctx, s)
}

// containerNames are those of all containers; none where they cannot be listed.
func (p *program) containerNames(*cobra.Command) []cobra.Completion {
	s, err := p.containers()
	if err != nil {
		return nil
	}
	list, err := s.List()
	if err != nil {
		return nil
	}
	var names []cobra.Completion
	for _, c := range list {
		names = append(names, c.Config.Name)
	}
	return names
}

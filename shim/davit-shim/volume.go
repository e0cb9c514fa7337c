package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/events"
	"github.com/davit-containers/davit/shim/volume"
)

// volumeCommand is davit-shim volume.
func (p *program) volumeCommand() *cobra.Command {
	return p.group("volume", "manage volumes",
		`Volumes are directories that outlive the containers they are mounted in. A
container gets one by -v VOLUME:TARGET, which makes it where it is not there, and an
anonymous one by -v TARGET, or because its image wants it. The first container of an
empty volume fills it with what its image has at that place.`,
		(*program).volumeCreateCommand,
		(*program).volumeInspectCommand,
		(*program).volumeListCommand,
		(*program).volumePruneCommand,
		(*program).volumeRemoveCommand,
	)
}

// volumes opens the store of volumes.
func (p *program) volumes() (*volume.Store, error) {
	root, err := p.globals.directory()
	if err != nil {
		return nil, err
	}
	return volume.Open(filepath.Join(root, "volumes"))
}

// volumeError says in Docker's words what a script looks for.
// Compat(moby): "get x: no such volume", "remove x: volume is in use - [ID]".
func volumeError(v volume.Volume, ref string, err error) error {
	switch {
	case errors.Is(err, volume.ErrNotExist):
		return fmt.Errorf("get %s: no such volume", ref)
	case errors.Is(err, volume.ErrInUse):
		return fmt.Errorf("remove %s: volume is in use - [%s]", ref, strings.Join(v.Users, ", "))
	}
	return err
}

// volumeEvent is one of a volume.
func volumeEvent(action string, v volume.Volume) events.Event {
	return events.Event{Type: events.Volume, Action: action, ID: v.Name, Attributes: map[string]string{"driver": "local"}}
}

// volumeNames are those of all volumes; none where they cannot be listed.
func (p *program) volumeNames(*cobra.Command) (names []cobra.Completion) {
	s, err := p.volumes()
	if err != nil {
		return nil
	}
	all, _ := s.List()
	for _, v := range all {
		names = append(names, v.Name)
	}
	return names
}

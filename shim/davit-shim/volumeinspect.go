package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/volume"
)

// volumeDetails are all that is known of a volume.
// Compat(moby): the names and their order; Anonymous and Containers are ours.
type volumeDetails struct {
	CreatedAt  time.Time
	Driver     string
	Labels     map[string]string
	Mountpoint string
	Name       string
	Options    map[string]string
	Scope      string
	Anonymous  bool
	Containers []string
}

// volumeInspectCommand is davit-shim volume inspect.
func (p *program) volumeInspectCommand() *cobra.Command {
	var i inspection
	cmd := &cobra.Command{
		Use:   "inspect VOLUME...",
		Short: "show all that is known of volumes",
		Long: `Prints a JSON array, with the containers that have each volume. A template of
--format is given one volume at a time: {{.Mountpoint}}.`,
		Args: atLeast(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.volumeInspect(i, args) },
	}
	cmd.Flags().StringVarP(&i.format, "format", "f", "", "print by `TEMPLATE`, or json")
	return cmd
}

func (p *program) volumeInspect(i inspection, refs []string) error {
	s, err := p.volumes()
	if err != nil {
		return err
	}
	var errs []error
	found := []volumeDetails{}
	for _, ref := range refs {
		v, err := s.Get(ref)
		if err != nil {
			errs = append(errs, volumeError(v, ref, err))
			continue
		}
		found = append(found, volumeDetailsOf(v))
	}
	return errors.Join(append([]error{printDetails(p.out, i.format, found)}, errs...)...)
}

func volumeDetailsOf(v volume.Volume) volumeDetails {
	d := volumeDetails{
		CreatedAt: v.Created, Driver: "local", Labels: map[string]string{}, Mountpoint: v.Path, Name: v.Name,
		Options: map[string]string{}, Scope: "local", Anonymous: v.Anonymous, Containers: append([]string{}, v.Users...),
	}
	for key, value := range v.Labels {
		d.Labels[key] = value
	}
	return d
}

package assembly

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/internal/statefile"
)

// specFile is a container's config.json.
func specFile(c *container.Container) string { return filepath.Join(c.Bundle(), "config.json") }

func readSpec(c *container.Container) (*specs.Spec, error) {
	var spec specs.Spec
	if err := statefile.ReadJSON(specFile(c), &spec); err != nil {
		return nil, err
	}
	if spec.Linux == nil || spec.Process == nil {
		return nil, fmt.Errorf("reading %s: %w", specFile(c), errors.New("it is no container's"))
	}
	return &spec, nil
}

func writeSpec(c *container.Container, spec *specs.Spec) error {
	data, err := json.MarshalIndent(spec, "", "\t")
	if err != nil {
		return err
	}
	return statefile.Replace(specFile(c), append(data, '\n'))
}

// Limit writes limits into a container's configuration, for its next start: what
// they leave nil stays as it is.
func Limit(c *container.Container, r specs.LinuxResources) error {
	spec, err := readSpec(c)
	if err != nil {
		return err
	}
	if spec.Linux.Resources == nil {
		spec.Linux.Resources = &specs.LinuxResources{}
	}
	// JSON leaves out what is nil, and sets what is not: also below.
	given, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(given, spec.Linux.Resources)
	}
	if err != nil {
		return err
	}
	return writeSpec(c, spec)
}

// Spec reads a container's config.json.
func Spec(c *container.Container) (*specs.Spec, error) { return readSpec(c) }

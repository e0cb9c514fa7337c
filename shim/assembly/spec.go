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

package assembly

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/programs"
)

// initPath is where a container has its init: in /dev, which is never the image's.
const initPath = "/dev/init"

// init gives the container an init: a file of its own, so that nobody who may
// write to it changes another's.
func (b *building) init() error {
	if !b.record().Init {
		return nil
	}
	file := filepath.Join(b.Dir(), "init")
	if err := os.WriteFile(file, programs.Init(), 0o755); err != nil {
		return fmt.Errorf("making the init: %w", err)
	}
	if err := os.Chmod(file, 0o755); err != nil {
		return err
	}
	b.Options.Mounts = append(b.Options.Mounts, bind(file, initPath, "ro", "nosuid", "nodev"))
	return nil
}

// short is an ID as people see it, and a container's host name by default.
func short(c *container.Container) string { return c.Config.ID[:12] }

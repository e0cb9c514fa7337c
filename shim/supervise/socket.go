package supervise

import (
	"os"
	"path/filepath"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/internal/privatesocket"
)

// The files of a container's run directory.
const (
	socketName = "socket"
	exitsName  = "exits"
)

// listen makes the supervisor's socket, for its owner alone. One that is there is
// nobody's: the caller has seen that there is no supervisor.
func listen(c *container.Container) (*os.File, error) {
	if err := os.MkdirAll(c.Store().Run(), 0o711); err != nil {
		return nil, err
	}
	if err := os.Mkdir(c.Run(), 0o700); err != nil && !os.IsExist(err) {
		return nil, err
	}
	return privatesocket.Listen(filepath.Join(c.Run(), socketName))
}

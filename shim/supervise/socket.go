package supervise

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

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
	path, done, err := socketPath(c)
	if err != nil {
		return nil, err
	}
	defer done()
	return privatesocket.Listen(path)
}

// longestSocket is how long the path of a socket may be, in bytes.
// Source: unix(7), sun_path.
const longestSocket = 107

// socketPath is the path of the supervisor's socket until done is called: one that
// is too long begins at a descriptor of its directory.
func socketPath(c *container.Container) (path string, done func(), err error) {
	path = filepath.Join(c.Run(), socketName)
	if len(path) <= longestSocket {
		return path, func() {}, nil
	}
	dir, err := os.OpenFile(c.Run(), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socketName), func() { dir.Close() }, nil
}

package libcontainer

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/libcontainer/idmap"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/plan"
)

// startSocket is the socket in the container's state directory on which a
// created container waits.
const startSocket = "start"

// files are the descriptors that a stage is handed.
type files struct {
	preserved []*os.File // not ours to close
	plan      []*os.File // by the plan's index
	owned     []*os.File
}

func (f *files) close() {
	sys.CloseAll(f.owned)
	f.owned = nil
}

// openFiles opens what the plan wants handed over.
func (c *creation) openFiles() error {
	for fd := 3; fd < 3+c.options.ListenFDs+c.options.PreserveFDs; fd++ {
		c.files.preserved = append(c.files.preserved, os.NewFile(uintptr(fd), "preserved "+strconv.Itoa(fd)))
	}
	for i := range c.plan.Files {
		f, owned, err := c.openFile(&c.plan.Files[i])
		if err != nil {
			return err
		}
		c.files.plan = append(c.files.plan, f)
		if owned {
			c.files.owned = append(c.files.owned, f)
		}
	}
	return nil
}

func (c *creation) openFile(f *plan.File) (file *os.File, owned bool, err error) {
	switch f.Kind {
	case plan.FileProc:
		file, err = host.Proc()
		return file, false, err
	case plan.FileUserNS:
		file, err = c.mapped.UserNS(idmap.Maps{UIDs: f.UIDMap, GIDs: f.GIDMap})
		return file, false, err
	case plan.FileStartSocket:
		file, err = sys.Listen(c.dir.File(), startSocket, unix.SOCK_SEQPACKET)
		return file, true, err
	default:
		file, err = openNamespace(f.Path)
		return file, true, err
	}
}

// openNamespace opens a namespace to join, and nothing but one: a FIFO or a
// device would block or act.
func openNamespace(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the namespace %s: %w", path, pathError(err))
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err == nil && fs.Type != unix.NSFS_MAGIC {
		f.Close()
		return nil, fmt.Errorf("opening the namespace %s: not a namespace", path)
	}
	return f, nil
}

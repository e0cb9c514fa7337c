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
func (m *making) openFiles() error {
	for fd := 3; fd < 3+m.outlets.preserve; fd++ {
		m.files.preserved = append(m.files.preserved, os.NewFile(uintptr(fd), "preserved "+strconv.Itoa(fd)))
	}
	for i := range m.plan.Files {
		f, owned, err := m.openFile(&m.plan.Files[i])
		if err != nil {
			return err
		}
		m.files.plan = append(m.files.plan, f)
		if owned {
			m.files.owned = append(m.files.owned, f)
		}
	}
	return nil
}

func (m *making) openFile(f *plan.File) (file *os.File, owned bool, err error) {
	switch f.Kind {
	case plan.FileProc:
		file, err = host.Proc()
		return file, false, err
	case plan.FileClock:
		file, err = m.newClock()
		return file, true, err
	case plan.FileUserNS:
		file, err = m.mapped.UserNS(idmap.Maps{UIDs: f.UIDMap, GIDs: f.GIDMap})
		return file, false, err
	case plan.FileNamespace:
		file, err = openNamespace(f.Path)
		return file, true, err
	default:
		file, err = m.openOwn(f)
		return file, true, err
	}
}

// openOwn opens the socket on which the stage waits for start.
func (c *creation) openOwn(f *plan.File) (*os.File, error) {
	if f.Kind != plan.FileStartSocket {
		return nil, unexpected("file " + f.String())
	}
	return sys.Listen(c.dir.File(), startSocket, unix.SOCK_SEQPACKET)
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

package libcontainer

import (
	"encoding/json"
	"fmt"
	"os/user"
	"strconv"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/state"
)

// State is what `davit state` and `davit list` show of a container.
// Spec: runtime.md#state
type State struct {
	Version     string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Pid         int               `json:"pid"` // 0 when stopped
	Status      Status            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Owner       string            `json:"owner"`
}

// State gives the container's state at this moment.
func (c *Container) State() (*State, error) {
	status, err := c.Status()
	if err != nil {
		return nil, err
	}
	s := &State{
		Version: c.state.OCIVersion, ID: c.state.ID, Pid: c.state.Pid, Status: status,
		Bundle: c.state.Bundle, Rootfs: c.state.Rootfs, Created: c.state.Created,
		Annotations: c.state.Annotations, Owner: ownerName(c.state.Owner),
	}
	if status == Stopped {
		s.Pid = 0
	}
	return s, nil
}

// ownerName is the name of a uid, or the uid where it has none.
func ownerName(uid int) string {
	if uid == 0 {
		return "root"
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return "#" + strconv.Itoa(uid)
	}
	return u.Username
}

// hookState is the state as hooks get it.
func hookState(s *state.State, status specs.ContainerState, pid int) ([]byte, error) {
	data, err := json.Marshal(specs.State{
		Version: s.OCIVersion, ID: s.ID, Status: status, Pid: pid, Bundle: s.Bundle, Annotations: s.Annotations,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the state for hooks: %w", err)
	}
	return data, nil
}

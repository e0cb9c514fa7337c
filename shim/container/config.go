package container

import (
	"time"

	"github.com/davit-containers/davit/shim/network"
)

// Config is what a container is to be. It is written when the container is made,
// and changed by rename and update alone.
type Config struct {
	ID      string // 64 hexadecimal digits
	Name    string
	Created time.Time

	Image     string // the manifest's digest
	ImageID   string // the configuration's digest
	ImageName string // as the user called it

	Command    []string `json:",omitempty"` // the command line that made it
	Path       string   // the program
	Args       []string `json:",omitempty"` // its arguments, without its name
	Entrypoint []string `json:",omitempty"` // of which both come
	Cmd        []string `json:",omitempty"`
	Env        []string `json:",omitempty"`
	WorkDir    string   `json:",omitempty"`
	User       string   `json:",omitempty"`

	Labels      map[string]string `json:",omitempty"`
	Annotations map[string]string `json:",omitempty"`
	Hostname    string            `json:",omitempty"`
	Domainname  string            `json:",omitempty"`
	Terminal    bool              `json:",omitempty"` // -t
	Interactive bool              `json:",omitempty"` // -i: standard input stays open
	AutoRemove  bool              `json:",omitempty"` // --rm
	Privileged  bool              `json:",omitempty"`
	Init        bool              `json:",omitempty"` // --init: the bundle's program is an init

	StopSignal  string // a name or a number, "SIGTERM" by default
	StopTimeout *int   `json:",omitempty"` // in seconds; nil is DefaultStopTimeout, -1 is to wait for ever
	DetachKeys  string `json:",omitempty"` // "" is ctrl-p,ctrl-q

	Log     Log
	Restart RestartPolicy
	Health  *Health `json:",omitempty"` // nil: no checks

	Network Network
	Volumes []Volume `json:",omitempty"`
	// Joined are the containers, by ID, whose namespaces are joined, by the
	// namespace's type.
	Joined map[string]string `json:",omitempty"`

	// IPC is what --ipc said; "shareable" has its shared memory in the directory shm,
	// of ShmSize bytes.
	IPC     string `json:",omitempty"`
	ShmSize int64  `json:",omitempty"`

	// SystemdCgroup tells that systemd manages the cgroup, whose path in config.json
	// is SLICE:PREFIX:NAME then.
	SystemdCgroup bool `json:",omitempty"`
}

// DefaultStopTimeout is how long a container has for its end before it is killed.
// Compat(moby): its default.
const DefaultStopTimeout = 10 * time.Second

// StopAfter is how long the container has for its end; a negative time is for ever.
func (c *Config) StopAfter() time.Duration {
	if c.StopTimeout == nil {
		return DefaultStopTimeout
	}
	return time.Duration(*c.StopTimeout) * time.Second
}

// Log is where a container's output is kept.
type Log struct {
	Driver  string            // json-file, journald or none
	Options map[string]string `json:",omitempty"`
}

// The restart policies.
const (
	RestartNo            = "no"
	RestartAlways        = "always"
	RestartOnFailure     = "on-failure"
	RestartUnlessStopped = "unless-stopped"
)

// RestartPolicy says when a container is started again after it ended.
type RestartPolicy struct {
	Name string
	Max  int `json:",omitempty"` // of on-failure: so often at most; 0 is without end
}

// Health says how it is seen whether a container does well.
type Health struct {
	Test          []string      // CMD and a program, or CMD-SHELL and a line
	Interval      time.Duration // between checks
	Timeout       time.Duration // of one
	StartPeriod   time.Duration // in which failures do not count
	StartInterval time.Duration // between checks in it
	Retries       int           // failures in a row until it is unhealthy
}

// Network is what a container's network is to be.
type Network struct {
	Mode       network.Mode
	Networks   []network.Join      `json:",omitempty"` // of Mode Named: the first has the ports
	Ports      []network.Port      `json:",omitempty"` // to publish
	Exposed    []network.Port      `json:",omitempty"` // the image's and --expose
	PublishAll bool                `json:",omitempty"` // those too, on any free port
	DNS        network.DNS         `json:",omitzero"`
	Hosts      []network.HostEntry `json:",omitempty"` // --add-host
}

// Volume is a volume on a directory of the container.
type Volume struct {
	Name        string
	Destination string
	ReadOnly    bool `json:",omitempty"`
	NoCopy      bool `json:",omitempty"` // the image's files are not copied into it
	Anonymous   bool `json:",omitempty"`
}

package state

import (
	"errors"
	"time"
)

var (
	// ErrExist says that the id is taken.
	ErrExist = errors.New("container with given ID already exists")
	// ErrNotExist says that no container has the id.
	ErrNotExist = errors.New("container does not exist")
	// ErrIncomplete says that the id is taken, but nothing usable is known of
	// the container: its creation or its removal was interrupted, or goes on.
	ErrIncomplete = errors.New("container state is incomplete")
	// ErrInvalidID says that a string cannot be a container's id.
	ErrInvalidID = errors.New("invalid container ID format")
)

// Phase is how far a command brought a container. What the container has done
// since then, its process tells.
//
// Spec: runtime.md#state
type Phase string

// The phases, in order.
const (
	Creating Phase = "creating"
	Created  Phase = "created"
	Running  Phase = "running"
)

// State is what is known of one container. The raw fields hold one JSON value
// each, or nothing: they belong to other packages, and are kept byte for byte.
type State struct {
	// OCIVersion is the specification's version that the bundle names.
	OCIVersion string
	// ID is the container's id, see [CheckID].
	ID string
	// Phase is how far a command brought the container.
	Phase Phase
	// Bundle and Rootfs are absolute paths on the host, of any bytes.
	Bundle, Rootfs string
	// Created is when the container was claimed, in UTC.
	Created time.Time
	// Owner is the uid that created the container.
	Owner int
	// Annotations are the configuration's.
	Annotations map[string]string

	// Pid is the container's process, 0 while there is none, and PidStart when
	// it started, in clock ticks since boot: a reused pid has another.
	Pid      int
	PidStart uint64
	// CreatorPid and CreatorStart are the process that creates the container.
	CreatorPid   int
	CreatorStart uint64

	// HostMount is the kernel's id of the mount that holds the root file system,
	// where the container's mounts are made on top of that in the runtime's own
	// mount namespace; 0 where they are not.
	HostMount uint64

	// NoNewKeyring says that the container kept its creator's session keyring.
	NoNewKeyring bool

	// TimeNamespace says that the container was restored into a time namespace
	// which its configuration does not have.
	TimeNamespace bool
	// Descriptors is a raw JSON array: what the container's standard streams
	// were when it was made, if one of them was a pipe.
	Descriptors []byte

	// Cgroup, IntelRdt, StartSteps and Updated are raw JSON.
	Cgroup, IntelRdt, StartSteps, Updated []byte
	// Config is the raw config.json. Reading a State does not look into it.
	Config []byte
}

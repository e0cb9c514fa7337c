package engine

import "time"

// Event is something that has happened to a task. Its kind says which fields
// count.
type Event struct {
	Kind       EventKind
	Task       string
	Exec       string // "" for the container's first process
	Pid        int
	Exit       Exit
	Create     *Create // of Created
	Checkpoint string
}

// EventKind is an event's kind.
type EventKind int

// The kinds. Created comes before Started, that before Exited, that before
// Deleted; ExecAdded before ExecStarted, that before the exit.
const (
	Created EventKind = iota
	Started
	Exited
	Deleted
	ExecAdded
	ExecStarted
	OutOfMemory
	Paused
	Resumed
	Checkpointed
)

// Exit is how a process ended.
type Exit struct {
	Status uint32 // the exit code, or 128 and the signal's number
	At     time.Time
}

// Mount is one that makes a root file system.
type Mount struct {
	Type, Source, Target string
	Options              []string
}

// Streams are the names of a process's standard streams; see stdio.Place.
type Streams struct {
	Terminal              bool
	Stdin, Stdout, Stderr string
}

// Options are how a container is made.
type Options struct {
	Binary       string // another runtime's program; "" is libcontainer
	Root         string // the directory of the runtime's states; "" is DefaultRoot
	Filters      string // where compiled seccomp filters are kept; "" is with the states
	Systemd      bool   // systemd manages the cgroups
	NoPivot      bool
	NoNewKeyring bool
	UID, GID     int    // of the pipes for the streams
	CriuWork     string // the directory of criu's log; "" is one in the bundle
}

// DefaultRoot is the directory of directories of containers, one per namespace.
const DefaultRoot = "/run/containerd/davit"

// Create says which container is to be created.
type Create struct {
	ID         string
	Bundle     string
	Rootfs     []Mount
	Streams    Streams
	Options    Options
	Checkpoint string // an image from which it is restored when it is started
	Trace      Trace  // that the creation is part of
}

// Trace is what hooks are told of the trace that a call is part of: variables
// of their environment.
type Trace []string

package api

import "github.com/davit-containers/davit/shim/protobuf"

// TaskCreate is the protocol's.
type TaskCreate struct {
	ContainerID string
	Bundle      string
	Rootfs      []Mount
	IO          *TaskIO
	Checkpoint  string
	Pid         uint32
}

// Fields are those of TaskCreate.
func (m *TaskCreate) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ContainerID)
	c.Text(2, &m.Bundle)
	protobuf.Many(c, 3, &m.Rootfs)
	protobuf.One(c, 4, &m.IO)
	c.Text(5, &m.Checkpoint)
	protobuf.Number(c, 6, &m.Pid)
}

// TaskStart is the protocol's.
type TaskStart struct {
	ContainerID string
	Pid         uint32
}

// Fields are those of TaskStart.
func (m *TaskStart) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ContainerID)
	protobuf.Number(c, 2, &m.Pid)
}

// TaskDelete is the protocol's.
type TaskDelete struct {
	ContainerID string
	Pid         uint32
	ExitStatus  uint32
	ExitedAt    *protobuf.Timestamp
	ID          string
}

// Fields are those of TaskDelete.
func (m *TaskDelete) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ContainerID)
	protobuf.Number(c, 2, &m.Pid)
	protobuf.Number(c, 3, &m.ExitStatus)
	protobuf.One(c, 4, &m.ExitedAt)
	c.Text(5, &m.ID)
}

// TaskIO is the protocol's.
type TaskIO struct {
	Stdin    string
	Stdout   string
	Stderr   string
	Terminal bool
}

// Fields are those of TaskIO.
func (m *TaskIO) Fields(c *protobuf.Coder) {
	c.Text(1, &m.Stdin)
	c.Text(2, &m.Stdout)
	c.Text(3, &m.Stderr)
	c.Flag(4, &m.Terminal)
}

// TaskExit is the protocol's.
type TaskExit struct {
	ContainerID string
	ID          string
	Pid         uint32
	ExitStatus  uint32
	ExitedAt    *protobuf.Timestamp
}

// Fields are those of TaskExit.
func (m *TaskExit) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ContainerID)
	c.Text(2, &m.ID)
	protobuf.Number(c, 3, &m.Pid)
	protobuf.Number(c, 4, &m.ExitStatus)
	protobuf.One(c, 5, &m.ExitedAt)
}

// TaskOOM is the protocol's.
type TaskOOM struct {
	ContainerID string
}

// Fields are those of TaskOOM.
func (m *TaskOOM) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ContainerID)
}

// TaskExecAdded is the protocol's.
type TaskExecAdded struct {
	ContainerID string
	ExecID      string
}

// Fields are those of TaskExecAdded.
func (m *TaskExecAdded) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ContainerID)
	c.Text(2, &m.ExecID)
}

// TaskExecStarted is the protocol's.
type TaskExecStarted struct {
	ContainerID string
	ExecID      string
	Pid         uint32
}

// Fields are those of TaskExecStarted.
func (m *TaskExecStarted) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ContainerID)
	c.Text(2, &m.ExecID)
	protobuf.Number(c, 3, &m.Pid)
}

// TaskPaused is the protocol's.
type TaskPaused struct {
	ContainerID string
}

// Fields are those of TaskPaused.
func (m *TaskPaused) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ContainerID)
}

// TaskResumed is the protocol's.
type TaskResumed struct {
	ContainerID string
}

// Fields are those of TaskResumed.
func (m *TaskResumed) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ContainerID)
}

// TaskCheckpointed is the protocol's.
type TaskCheckpointed struct {
	ContainerID string
	Checkpoint  string
}

// Fields are those of TaskCheckpointed.
func (m *TaskCheckpointed) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ContainerID)
	c.Text(2, &m.Checkpoint)
}

// Envelope is the protocol's.
type Envelope struct {
	Timestamp *protobuf.Timestamp
	Namespace string
	Topic     string
	Event     *protobuf.Any
}

// Fields are those of Envelope.
func (m *Envelope) Fields(c *protobuf.Coder) {
	protobuf.One(c, 1, &m.Timestamp)
	c.Text(2, &m.Namespace)
	c.Text(3, &m.Topic)
	protobuf.One(c, 4, &m.Event)
}

// ForwardRequest is the protocol's.
type ForwardRequest struct {
	Envelope *Envelope
}

// Fields are those of ForwardRequest.
func (m *ForwardRequest) Fields(c *protobuf.Coder) {
	protobuf.One(c, 1, &m.Envelope)
}

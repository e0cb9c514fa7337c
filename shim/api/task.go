package api

import "github.com/davit-containers/davit/shim/protobuf"

// CreateTaskRequest is the protocol's.
type CreateTaskRequest struct {
	ID               string
	Bundle           string
	Rootfs           []Mount
	Terminal         bool
	Stdin            string
	Stdout           string
	Stderr           string
	Checkpoint       string
	ParentCheckpoint string
	Options          *protobuf.Any
}

// Fields are those of CreateTaskRequest.
func (m *CreateTaskRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
	c.Text(2, &m.Bundle)
	protobuf.Many(c, 3, &m.Rootfs)
	c.Flag(4, &m.Terminal)
	c.Text(5, &m.Stdin)
	c.Text(6, &m.Stdout)
	c.Text(7, &m.Stderr)
	c.Text(8, &m.Checkpoint)
	c.Text(9, &m.ParentCheckpoint)
	protobuf.One(c, 10, &m.Options)
}

// CreateTaskResponse is the protocol's.
type CreateTaskResponse struct {
	Pid uint32
}

// Fields are those of CreateTaskResponse.
func (m *CreateTaskResponse) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Pid)
}

// DeleteRequest is the protocol's.
type DeleteRequest struct {
	ID     string
	ExecID string
}

// Fields are those of DeleteRequest.
func (m *DeleteRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
	c.Text(2, &m.ExecID)
}

// DeleteResponse is the protocol's.
type DeleteResponse struct {
	Pid        uint32
	ExitStatus uint32
	ExitedAt   *protobuf.Timestamp
}

// Fields are those of DeleteResponse.
func (m *DeleteResponse) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Pid)
	protobuf.Number(c, 2, &m.ExitStatus)
	protobuf.One(c, 3, &m.ExitedAt)
}

// ExecProcessRequest is the protocol's.
type ExecProcessRequest struct {
	ID       string
	ExecID   string
	Terminal bool
	Stdin    string
	Stdout   string
	Stderr   string
	Spec     *protobuf.Any
}

// Fields are those of ExecProcessRequest.
func (m *ExecProcessRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
	c.Text(2, &m.ExecID)
	c.Flag(3, &m.Terminal)
	c.Text(4, &m.Stdin)
	c.Text(5, &m.Stdout)
	c.Text(6, &m.Stderr)
	protobuf.One(c, 7, &m.Spec)
}

// ResizePtyRequest is the protocol's.
type ResizePtyRequest struct {
	ID     string
	ExecID string
	Width  uint32
	Height uint32
}

// Fields are those of ResizePtyRequest.
func (m *ResizePtyRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
	c.Text(2, &m.ExecID)
	protobuf.Number(c, 3, &m.Width)
	protobuf.Number(c, 4, &m.Height)
}

// StateRequest is the protocol's.
type StateRequest struct {
	ID     string
	ExecID string
}

// Fields are those of StateRequest.
func (m *StateRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
	c.Text(2, &m.ExecID)
}

// StateResponse is the protocol's.
type StateResponse struct {
	ID         string
	Bundle     string
	Pid        uint32
	Status     Status
	Stdin      string
	Stdout     string
	Stderr     string
	Terminal   bool
	ExitStatus uint32
	ExitedAt   *protobuf.Timestamp
	ExecID     string
}

// Fields are those of StateResponse.
func (m *StateResponse) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
	c.Text(2, &m.Bundle)
	protobuf.Number(c, 3, &m.Pid)
	protobuf.Number(c, 4, &m.Status)
	c.Text(5, &m.Stdin)
	c.Text(6, &m.Stdout)
	c.Text(7, &m.Stderr)
	c.Flag(8, &m.Terminal)
	protobuf.Number(c, 9, &m.ExitStatus)
	protobuf.One(c, 10, &m.ExitedAt)
	c.Text(11, &m.ExecID)
}

// KillRequest is the protocol's.
type KillRequest struct {
	ID     string
	ExecID string
	Signal uint32
	All    bool
}

// Fields are those of KillRequest.
func (m *KillRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
	c.Text(2, &m.ExecID)
	protobuf.Number(c, 3, &m.Signal)
	c.Flag(4, &m.All)
}

// CloseIORequest is the protocol's.
type CloseIORequest struct {
	ID     string
	ExecID string
	Stdin  bool
}

// Fields are those of CloseIORequest.
func (m *CloseIORequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
	c.Text(2, &m.ExecID)
	c.Flag(3, &m.Stdin)
}

// PidsRequest is the protocol's.
type PidsRequest struct {
	ID string
}

// Fields are those of PidsRequest.
func (m *PidsRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
}

// PidsResponse is the protocol's.
type PidsResponse struct {
	Processes []ProcessInfo
}

// Fields are those of PidsResponse.
func (m *PidsResponse) Fields(c *protobuf.Coder) {
	protobuf.Many(c, 1, &m.Processes)
}

// CheckpointTaskRequest is the protocol's.
type CheckpointTaskRequest struct {
	ID      string
	Path    string
	Options *protobuf.Any
}

// Fields are those of CheckpointTaskRequest.
func (m *CheckpointTaskRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
	c.Text(2, &m.Path)
	protobuf.One(c, 3, &m.Options)
}

// UpdateTaskRequest is the protocol's.
type UpdateTaskRequest struct {
	ID          string
	Resources   *protobuf.Any
	Annotations map[string]string
}

// Fields are those of UpdateTaskRequest.
func (m *UpdateTaskRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
	protobuf.One(c, 2, &m.Resources)
	c.Map(3, &m.Annotations)
}

// StartRequest is the protocol's.
type StartRequest struct {
	ID     string
	ExecID string
}

// Fields are those of StartRequest.
func (m *StartRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
	c.Text(2, &m.ExecID)
}

// StartResponse is the protocol's.
type StartResponse struct {
	Pid uint32
}

// Fields are those of StartResponse.
func (m *StartResponse) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Pid)
}

// WaitRequest is the protocol's.
type WaitRequest struct {
	ID     string
	ExecID string
}

// Fields are those of WaitRequest.
func (m *WaitRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
	c.Text(2, &m.ExecID)
}

// WaitResponse is the protocol's.
type WaitResponse struct {
	ExitStatus uint32
	ExitedAt   *protobuf.Timestamp
}

// Fields are those of WaitResponse.
func (m *WaitResponse) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.ExitStatus)
	protobuf.One(c, 2, &m.ExitedAt)
}

// StatsRequest is the protocol's.
type StatsRequest struct {
	ID string
}

// Fields are those of StatsRequest.
func (m *StatsRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
}

// StatsResponse is the protocol's.
type StatsResponse struct {
	Stats *protobuf.Any
}

// Fields are those of StatsResponse.
func (m *StatsResponse) Fields(c *protobuf.Coder) {
	protobuf.One(c, 1, &m.Stats)
}

// ConnectRequest is the protocol's.
type ConnectRequest struct {
	ID string
}

// Fields are those of ConnectRequest.
func (m *ConnectRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
}

// ConnectResponse is the protocol's.
type ConnectResponse struct {
	ShimPid uint32
	TaskPid uint32
	Version string
}

// Fields are those of ConnectResponse.
func (m *ConnectResponse) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.ShimPid)
	protobuf.Number(c, 2, &m.TaskPid)
	c.Text(3, &m.Version)
}

// ShutdownRequest is the protocol's.
type ShutdownRequest struct {
	ID  string
	Now bool
}

// Fields are those of ShutdownRequest.
func (m *ShutdownRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
	c.Flag(2, &m.Now)
}

// PauseRequest is the protocol's.
type PauseRequest struct {
	ID string
}

// Fields are those of PauseRequest.
func (m *PauseRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
}

// ResumeRequest is the protocol's.
type ResumeRequest struct {
	ID string
}

// Fields are those of ResumeRequest.
func (m *ResumeRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
}

// ProcessInfo is the protocol's.
type ProcessInfo struct {
	Pid  uint32
	Info *protobuf.Any
}

// Fields are those of ProcessInfo.
func (m *ProcessInfo) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Pid)
	protobuf.One(c, 2, &m.Info)
}

// Mount is the protocol's.
type Mount struct {
	Type    string
	Source  string
	Target  string
	Options []string
}

// Fields are those of Mount.
func (m *Mount) Fields(c *protobuf.Coder) {
	c.Text(1, &m.Type)
	c.Text(2, &m.Source)
	c.Text(3, &m.Target)
	c.Texts(4, &m.Options)
}

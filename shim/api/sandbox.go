package api

import "github.com/davit-containers/davit/shim/protobuf"

// CreateSandboxRequest is the protocol's.
type CreateSandboxRequest struct {
	SandboxID   string
	BundlePath  string
	Rootfs      []Mount
	Options     *protobuf.Any
	NetnsPath   string
	Annotations map[string]string
}

// Fields are those of CreateSandboxRequest.
func (m *CreateSandboxRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.SandboxID)
	c.Text(2, &m.BundlePath)
	protobuf.Many(c, 3, &m.Rootfs)
	protobuf.One(c, 4, &m.Options)
	c.Text(5, &m.NetnsPath)
	c.Map(6, &m.Annotations)
}

// StartSandboxRequest is the protocol's.
type StartSandboxRequest struct {
	SandboxID string
}

// Fields are those of StartSandboxRequest.
func (m *StartSandboxRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.SandboxID)
}

// StartSandboxResponse is the protocol's.
type StartSandboxResponse struct {
	Pid       uint32
	CreatedAt *protobuf.Timestamp
	Spec      *protobuf.Any
}

// Fields are those of StartSandboxResponse.
func (m *StartSandboxResponse) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Pid)
	protobuf.One(c, 2, &m.CreatedAt)
	protobuf.One(c, 3, &m.Spec)
}

// PlatformRequest is the protocol's.
type PlatformRequest struct {
	SandboxID string
}

// Fields are those of PlatformRequest.
func (m *PlatformRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.SandboxID)
}

// PlatformResponse is the protocol's.
type PlatformResponse struct {
	Platform *Platform
}

// Fields are those of PlatformResponse.
func (m *PlatformResponse) Fields(c *protobuf.Coder) {
	protobuf.One(c, 1, &m.Platform)
}

// StopSandboxRequest is the protocol's.
type StopSandboxRequest struct {
	SandboxID   string
	TimeoutSecs uint32
}

// Fields are those of StopSandboxRequest.
func (m *StopSandboxRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.SandboxID)
	protobuf.Number(c, 2, &m.TimeoutSecs)
}

// UpdateSandboxRequest is the protocol's.
type UpdateSandboxRequest struct {
	SandboxID   string
	Resources   *protobuf.Any
	Annotations map[string]string
}

// Fields are those of UpdateSandboxRequest.
func (m *UpdateSandboxRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.SandboxID)
	protobuf.One(c, 2, &m.Resources)
	c.Map(3, &m.Annotations)
}

// WaitSandboxRequest is the protocol's.
type WaitSandboxRequest struct {
	SandboxID string
}

// Fields are those of WaitSandboxRequest.
func (m *WaitSandboxRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.SandboxID)
}

// WaitSandboxResponse is the protocol's.
type WaitSandboxResponse struct {
	ExitStatus uint32
	ExitedAt   *protobuf.Timestamp
}

// Fields are those of WaitSandboxResponse.
func (m *WaitSandboxResponse) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.ExitStatus)
	protobuf.One(c, 2, &m.ExitedAt)
}

// SandboxStatusRequest is the protocol's.
type SandboxStatusRequest struct {
	SandboxID string
	Verbose   bool
}

// Fields are those of SandboxStatusRequest.
func (m *SandboxStatusRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.SandboxID)
	c.Flag(2, &m.Verbose)
}

// SandboxStatusResponse is the protocol's.
type SandboxStatusResponse struct {
	SandboxID string
	Pid       uint32
	State     string
	Info      map[string]string
	CreatedAt *protobuf.Timestamp
	ExitedAt  *protobuf.Timestamp
	Extra     *protobuf.Any
}

// Fields are those of SandboxStatusResponse.
func (m *SandboxStatusResponse) Fields(c *protobuf.Coder) {
	c.Text(1, &m.SandboxID)
	protobuf.Number(c, 2, &m.Pid)
	c.Text(3, &m.State)
	c.Map(4, &m.Info)
	protobuf.One(c, 5, &m.CreatedAt)
	protobuf.One(c, 6, &m.ExitedAt)
	protobuf.One(c, 7, &m.Extra)
}

// PingRequest is the protocol's.
type PingRequest struct {
	SandboxID string
}

// Fields are those of PingRequest.
func (m *PingRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.SandboxID)
}

// ShutdownSandboxRequest is the protocol's.
type ShutdownSandboxRequest struct {
	SandboxID string
}

// Fields are those of ShutdownSandboxRequest.
func (m *ShutdownSandboxRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.SandboxID)
}

// SandboxMetricsRequest is the protocol's.
type SandboxMetricsRequest struct {
	SandboxID string
}

// Fields are those of SandboxMetricsRequest.
func (m *SandboxMetricsRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.SandboxID)
}

// SandboxMetricsResponse is the protocol's.
type SandboxMetricsResponse struct {
	Metrics *Metric
}

// Fields are those of SandboxMetricsResponse.
func (m *SandboxMetricsResponse) Fields(c *protobuf.Coder) {
	protobuf.One(c, 1, &m.Metrics)
}

// Metric is the protocol's.
type Metric struct {
	Timestamp *protobuf.Timestamp
	ID        string
	Data      *protobuf.Any
}

// Fields are those of Metric.
func (m *Metric) Fields(c *protobuf.Coder) {
	protobuf.One(c, 1, &m.Timestamp)
	c.Text(2, &m.ID)
	protobuf.One(c, 3, &m.Data)
}

// Platform is the protocol's.
type Platform struct {
	OS           string
	Architecture string
	Variant      string
	OSVersion    string
	OSFeatures   []string
}

// Fields are those of Platform.
func (m *Platform) Fields(c *protobuf.Coder) {
	c.Text(1, &m.OS)
	c.Text(2, &m.Architecture)
	c.Text(3, &m.Variant)
	c.Text(4, &m.OSVersion)
	c.Texts(5, &m.OSFeatures)
}

package api

import "github.com/davit-containers/davit/shim/protobuf"

// BootstrapParams is the protocol's.
type BootstrapParams struct {
	InstanceID             string
	Namespace              string
	LogLevel               LogLevel
	ContainerdVersion      string
	ContainerdTtrpcAddress string
	ContainerdGrpcAddress  string
	ContainerdBinary       string
	Extensions             []Extension
	SocketDir              string
}

// Fields are those of BootstrapParams.
func (m *BootstrapParams) Fields(c *protobuf.Coder) {
	c.Text(1, &m.InstanceID)
	c.Text(2, &m.Namespace)
	protobuf.Number(c, 3, &m.LogLevel)
	c.Text(4, &m.ContainerdVersion)
	c.Text(5, &m.ContainerdTtrpcAddress)
	c.Text(6, &m.ContainerdGrpcAddress)
	c.Text(7, &m.ContainerdBinary)
	protobuf.Many(c, 8, &m.Extensions)
	c.Text(9, &m.SocketDir)
}

// Extension is the protocol's.
type Extension struct {
	Value *protobuf.Any
}

// Fields are those of Extension.
func (m *Extension) Fields(c *protobuf.Coder) {
	protobuf.One(c, 1, &m.Value)
}

// BootstrapResult is the protocol's.
type BootstrapResult struct {
	Version      int32
	Address      string
	Protocol     string
	Capabilities []uint64
	Metadata     map[string]string
	Extensions   []Extension
}

// Fields are those of BootstrapResult.
func (m *BootstrapResult) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Version)
	c.Text(2, &m.Address)
	c.Text(3, &m.Protocol)
	c.Numbers(4, &m.Capabilities)
	c.Map(5, &m.Metadata)
	protobuf.Many(c, 6, &m.Extensions)
}

// RuntimeRequest is the protocol's.
type RuntimeRequest struct {
	RuntimePath string
	Options     *protobuf.Any
}

// Fields are those of RuntimeRequest.
func (m *RuntimeRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.RuntimePath)
	protobuf.One(c, 2, &m.Options)
}

// RuntimeVersion is the protocol's.
type RuntimeVersion struct {
	Version  string
	Revision string
}

// Fields are those of RuntimeVersion.
func (m *RuntimeVersion) Fields(c *protobuf.Coder) {
	c.Text(1, &m.Version)
	c.Text(2, &m.Revision)
}

// RuntimeInfo is the protocol's.
type RuntimeInfo struct {
	Name        string
	Version     *RuntimeVersion
	Options     *protobuf.Any
	Features    *protobuf.Any
	Annotations map[string]string
}

// Fields are those of RuntimeInfo.
func (m *RuntimeInfo) Fields(c *protobuf.Coder) {
	c.Text(1, &m.Name)
	protobuf.One(c, 2, &m.Version)
	protobuf.One(c, 3, &m.Options)
	protobuf.One(c, 4, &m.Features)
	c.Map(5, &m.Annotations)
}

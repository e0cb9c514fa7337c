package api

import "github.com/davit-containers/davit/shim/protobuf"

// Options is the protocol's.
type Options struct {
	NoPivotRoot    bool
	NoNewKeyring   bool
	ShimCgroup     string
	IOUID          uint32
	IOGID          uint32
	BinaryName     string
	Root           string
	SystemdCgroup  bool
	CriuImagePath  string
	CriuWorkPath   string
	TaskApiAddress string
	TaskApiVersion uint32
}

// Fields are those of Options.
func (m *Options) Fields(c *protobuf.Coder) {
	c.Flag(1, &m.NoPivotRoot)
	c.Flag(2, &m.NoNewKeyring)
	c.Text(3, &m.ShimCgroup)
	protobuf.Number(c, 4, &m.IOUID)
	protobuf.Number(c, 5, &m.IOGID)
	c.Text(6, &m.BinaryName)
	c.Text(7, &m.Root)
	c.Flag(9, &m.SystemdCgroup)
	c.Text(10, &m.CriuImagePath)
	c.Text(11, &m.CriuWorkPath)
	c.Text(12, &m.TaskApiAddress)
	protobuf.Number(c, 13, &m.TaskApiVersion)
}

// CheckpointOptions is the protocol's.
type CheckpointOptions struct {
	Exit                bool
	OpenTCP             bool
	ExternalUnixSockets bool
	Terminal            bool
	FileLocks           bool
	EmptyNamespaces     []string
	CgroupsMode         string
	ImagePath           string
	WorkPath            string
	ParentPath          string
}

// Fields are those of CheckpointOptions.
func (m *CheckpointOptions) Fields(c *protobuf.Coder) {
	c.Flag(1, &m.Exit)
	c.Flag(2, &m.OpenTCP)
	c.Flag(3, &m.ExternalUnixSockets)
	c.Flag(4, &m.Terminal)
	c.Flag(5, &m.FileLocks)
	c.Texts(6, &m.EmptyNamespaces)
	c.Text(7, &m.CgroupsMode)
	c.Text(8, &m.ImagePath)
	c.Text(9, &m.WorkPath)
	c.Text(10, &m.ParentPath)
}

// ProcessDetails is the protocol's.
type ProcessDetails struct {
	ExecID string
}

// Fields are those of ProcessDetails.
func (m *ProcessDetails) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ExecID)
}

package supervise

import "github.com/davit-containers/davit/shim/protobuf"

// service is what a supervisor answers beside the task service.
const service = "davit.supervise.v1.Supervisor"

// The methods.
const (
	methodReady  = "Ready"
	methodWait   = "Wait"
	methodEnd    = "End"
	methodStop   = "Stop"
	methodOutput = "Output"
	methodInput  = "Input"
	methodExec   = "Exec"
	methodStill  = "KeepStill"
	methodLetGo  = "LetGo"
)

// readyReply tells that the container runs; an error is why it could not be
// started.
type readyReply struct {
	Pid   uint32
	Error string
}

func (m *readyReply) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Pid)
	c.Text(2, &m.Error)
}

// waitRequest asks for a process's end; "" is the container's.
type waitRequest struct{ Exec string }

func (m *waitRequest) Fields(c *protobuf.Coder) { c.Text(1, &m.Exec) }

// waitReply tells how it ended.
type waitReply struct{ Status uint32 }

func (m *waitReply) Fields(c *protobuf.Coder) { protobuf.Number(c, 1, &m.Status) }

// stopRequest asks for the container's end, at last by force.
type stopRequest struct {
	Signal  uint32 // 0: the container's
	Timeout int64  // in milliseconds; below 0: never by force
	Default bool   // the time-out is the container's
}

func (m *stopRequest) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Signal)
	protobuf.Number(c, 2, &m.Timeout)
	c.Flag(3, &m.Default)
}

// outputRequest asks for what a process has written from two positions on, one
// a stream, and says that what is before them has arrived.
type outputRequest struct {
	Exec   string
	Reader string // names the client
	At     [2]position
}

func (m *outputRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.Exec)
	c.Text(2, &m.Reader)
	protobuf.Number(c, 3, &m.At[0])
	protobuf.Number(c, 4, &m.At[1])
}

// position is where a client is in a stream, in bytes.
type position int64

// fromNow asks for what is written later.
const fromNow position = -1

// outputReply is what there is at the positions: at least a byte, or an end.
type outputReply struct {
	At    [2]position // of the data's beginning: after what was asked for where something was lost
	Data  [2][]byte
	Ended [2]bool // nothing follows the data
	Exit  int64   // where both have ended and the process has: its exit status, and one
}

func (m *outputReply) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.At[0])
	protobuf.Number(c, 2, &m.At[1])
	c.Bytes(3, &m.Data[0])
	c.Bytes(4, &m.Data[1])
	c.Flag(5, &m.Ended[0])
	c.Flag(6, &m.Ended[1])
	protobuf.Number(c, 7, &m.Exit)
}

// inputRequest brings something for a process to read.
type inputRequest struct {
	Exec string
	Data []byte
	End  bool // nothing follows
}

func (m *inputRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.Exec)
	c.Bytes(2, &m.Data)
	c.Flag(3, &m.End)
}

// execRequest asks for a further process.
type execRequest struct {
	ID       string
	Process  execProcess
	Terminal bool
	Input    bool // somebody will bring input
	Output   bool // somebody will read the output
	Width    uint32
	Height   uint32
}

func (m *execRequest) Fields(c *protobuf.Coder) {
	c.Text(1, &m.ID)
	m.Process.fields(c)
	c.Flag(3, &m.Terminal)
	c.Flag(4, &m.Input)
	c.Flag(5, &m.Output)
	protobuf.Number(c, 6, &m.Width)
	protobuf.Number(c, 7, &m.Height)
}

// execProcess is what a further process has that is not the container's.
type execProcess struct {
	Args       []string
	Env        []string // "NAME=VALUE" sets, "NAME" removes
	Dir, User  string   // "": the container's
	Privileged bool
}

func (p *execProcess) fields(c *protobuf.Coder) {
	c.Texts(10, &p.Args)
	c.Texts(11, &p.Env)
	c.Text(12, &p.Dir)
	c.Text(13, &p.User)
	c.Flag(14, &p.Privileged)
}

package api

import (
	"bytes"
	"testing"

	v1 "github.com/containerd/cgroups/v3/cgroup1/stats"
	v2 "github.com/containerd/cgroups/v3/cgroup2/stats"
	events "github.com/containerd/containerd/api/events"
	bootstrap "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	sandboxes "github.com/containerd/containerd/api/runtime/sandbox/v1"
	tasks "github.com/containerd/containerd/api/runtime/task/v3"
	forward "github.com/containerd/containerd/api/services/ttrpc/events/v1"
	"github.com/containerd/containerd/api/types"
	runc "github.com/containerd/containerd/api/types/runc/options"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/davit-containers/davit/shim/protobuf"
)

// pairs are our messages beside containerd's.
var pairs = []struct {
	ours   protobuf.Message
	theirs proto.Message
}{
	{&CreateTaskRequest{}, &tasks.CreateTaskRequest{}}, {&CreateTaskResponse{}, &tasks.CreateTaskResponse{}},
	{&DeleteRequest{}, &tasks.DeleteRequest{}}, {&DeleteResponse{}, &tasks.DeleteResponse{}},
	{&ExecProcessRequest{}, &tasks.ExecProcessRequest{}}, {&ResizePtyRequest{}, &tasks.ResizePtyRequest{}},
	{&StateRequest{}, &tasks.StateRequest{}}, {&StateResponse{}, &tasks.StateResponse{}},
	{&KillRequest{}, &tasks.KillRequest{}}, {&CloseIORequest{}, &tasks.CloseIORequest{}},
	{&PidsRequest{}, &tasks.PidsRequest{}}, {&PidsResponse{}, &tasks.PidsResponse{}},
	{&CheckpointTaskRequest{}, &tasks.CheckpointTaskRequest{}}, {&UpdateTaskRequest{}, &tasks.UpdateTaskRequest{}},
	{&StartRequest{}, &tasks.StartRequest{}}, {&StartResponse{}, &tasks.StartResponse{}},
	{&WaitRequest{}, &tasks.WaitRequest{}}, {&WaitResponse{}, &tasks.WaitResponse{}},
	{&StatsRequest{}, &tasks.StatsRequest{}}, {&StatsResponse{}, &tasks.StatsResponse{}},
	{&ConnectRequest{}, &tasks.ConnectRequest{}}, {&ConnectResponse{}, &tasks.ConnectResponse{}},
	{&ShutdownRequest{}, &tasks.ShutdownRequest{}}, {&PauseRequest{}, &tasks.PauseRequest{}}, {&ResumeRequest{}, &tasks.ResumeRequest{}},
	{&TaskCreate{}, &events.TaskCreate{}}, {&TaskStart{}, &events.TaskStart{}}, {&TaskDelete{}, &events.TaskDelete{}},
	{&TaskExit{}, &events.TaskExit{}}, {&TaskOOM{}, &events.TaskOOM{}}, {&TaskExecAdded{}, &events.TaskExecAdded{}},
	{&TaskExecStarted{}, &events.TaskExecStarted{}}, {&TaskPaused{}, &events.TaskPaused{}}, {&TaskResumed{}, &events.TaskResumed{}},
	{&TaskCheckpointed{}, &events.TaskCheckpointed{}}, {&ForwardRequest{}, &forward.ForwardRequest{}},
	{&BootstrapParams{}, &bootstrap.BootstrapParams{}}, {&BootstrapResult{}, &bootstrap.BootstrapResult{}},
	{&RuntimeInfo{}, &types.RuntimeInfo{}}, {&Options{}, &runc.Options{}}, {&CheckpointOptions{}, &runc.CheckpointOptions{}},
	{&ProcessDetails{}, &runc.ProcessDetails{}},
	{&CreateSandboxRequest{}, &sandboxes.CreateSandboxRequest{}}, {&StartSandboxRequest{}, &sandboxes.StartSandboxRequest{}},
	{&StartSandboxResponse{}, &sandboxes.StartSandboxResponse{}}, {&PlatformResponse{}, &sandboxes.PlatformResponse{}},
	{&StopSandboxRequest{}, &sandboxes.StopSandboxRequest{}}, {&WaitSandboxRequest{}, &sandboxes.WaitSandboxRequest{}},
	{&WaitSandboxResponse{}, &sandboxes.WaitSandboxResponse{}}, {&SandboxStatusRequest{}, &sandboxes.SandboxStatusRequest{}},
	{&SandboxStatusResponse{}, &sandboxes.SandboxStatusResponse{}}, {&SandboxMetricsResponse{}, &sandboxes.SandboxMetricsResponse{}},
	{&V1Metrics{}, &v1.Metrics{}}, {&V2Metrics{}, &v2.Metrics{}},
}

// Every field of containerd's messages arrives in ours, and is sent as
// containerd would.
func TestPairs(t *testing.T) {
	for _, p := range pairs {
		t.Run(string(p.theirs.ProtoReflect().Descriptor().Name()), func(t *testing.T) {
			seed := int64(0)
			fill(p.theirs.ProtoReflect(), &seed)
			data, err := proto.MarshalOptions{Deterministic: true}.Marshal(p.theirs)
			if err != nil {
				t.Fatal(err)
			}
			if err := protobuf.Unmarshal(data, p.ours); err != nil {
				t.Fatal(err)
			}
			back := p.theirs.ProtoReflect().New().Interface()
			if err := proto.Unmarshal(protobuf.Marshal(p.ours), back); err != nil {
				t.Fatal(err)
			}
			again, err := proto.MarshalOptions{Deterministic: true}.Marshal(back)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(data, again) {
				t.Errorf("got  %v\nwant %v", back, p.theirs)
			}
		})
	}
}

// fill sets every field, each to another value.
func fill(m protoreflect.Message, seed *int64) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.IsMap():
			m.Mutable(f).Map().Set(protoreflect.ValueOfString("key").MapKey(), protoreflect.ValueOfString("value"))
		case f.IsList() && f.Kind() == protoreflect.MessageKind:
			for range 2 {
				fill(m.Mutable(f).List().AppendMutable().Message(), seed)
			}
		case f.IsList():
			m.Mutable(f).List().Append(value(f, seed))
			m.Mutable(f).List().Append(value(f, seed))
		case f.Kind() == protoreflect.MessageKind:
			fill(m.Mutable(f).Message(), seed)
		default:
			m.Set(f, value(f, seed))
		}
	}
}

func value(f protoreflect.FieldDescriptor, seed *int64) protoreflect.Value {
	*seed++
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(string(f.Name()))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(f.Name()))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(f.Enum().Values().Get(f.Enum().Values().Len() - 1).Number())
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(*seed) / 3)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(-int32(*seed))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(-*seed)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(*seed))
	}
	return protoreflect.ValueOfUint64(1<<63 + uint64(*seed))
}

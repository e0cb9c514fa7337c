package main

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// Every call that asks or changes is answered, in both versions of the service.
func TestEveryCall(t *testing.T) {
	p := newPod(t)
	p.run("one", "sleep 1000")
	p.do("Exec", &api.ExecProcessRequest{ID: "one", ExecID: "e", Spec: process("sleep 1000")}, &protobuf.Empty{})
	e := api.StartResponse{}
	p.do("Start", &api.StartRequest{ID: "one", ExecID: "e"}, &e)
	for _, service := range []string{"containerd.task.v2.Task", "containerd.task.v3.Task"} {
		do := func(method string, in, out protobuf.Message) {
			t.Helper()
			if err := p.connect().callOf(service, method, in, out); err != nil {
				t.Errorf("%s of %s: %v", method, service, err)
			}
		}
		state, pids, stats := api.StateResponse{}, api.PidsResponse{}, api.StatsResponse{}
		do("Pause", &api.PauseRequest{ID: "one"}, &protobuf.Empty{})
		do("State", &api.StateRequest{ID: "one"}, &state)
		if state.Status != api.Paused {
			t.Errorf("after Pause the status is %d", state.Status)
		}
		do("Resume", &api.ResumeRequest{ID: "one"}, &protobuf.Empty{})
		do("Pids", &api.PidsRequest{ID: "one"}, &pids)
		if !slices.ContainsFunc(pids.Processes, func(i api.ProcessInfo) bool { return i.Pid == e.Pid && named(i.Info, "e") }) {
			t.Errorf("the exec, %d, is not among %v", e.Pid, pids.Processes)
		}
		do("Update", &api.UpdateTaskRequest{ID: "one", Resources: resources(t)}, &protobuf.Empty{})
		do("Stats", &api.StatsRequest{ID: "one"}, &stats)
		if want := metricsName(); stats.Stats == nil || stats.Stats.TypeURL != want {
			t.Errorf("the statistics are %v, want a %s", stats.Stats, want)
		}
		connected := api.ConnectResponse{}
		do("Connect", &api.ConnectRequest{ID: "one"}, &connected)
		if connected.TaskPid != state.Pid {
			t.Errorf("the container is %d, and by its state %d", connected.TaskPid, state.Pid)
		}
	}
}

// named tells whether what is said of a process is that it is this exec.
func named(info *protobuf.Any, exec string) bool {
	details := api.ProcessDetails{}
	return info != nil && info.TypeURL == api.ProcessDetailsName && protobuf.Unmarshal(info.Value, &details) == nil && details.ExecID == exec
}

// resources are an update's.
func resources(t *testing.T) *protobuf.Any {
	t.Helper()
	data, err := json.Marshal(map[string]any{"cpu": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	return &protobuf.Any{TypeURL: "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources", Value: data}
}

// metricsName is the type of statistics on this machine.
func metricsName() string {
	if host.Cgroups() == host.CgroupV2 {
		return api.MetricsV2Name
	}
	return api.MetricsV1Name
}

// What cannot be is refused, in the kind that containerd looks for.
func TestRefusals(t *testing.T) {
	p := newPod(t)
	p.run("one", "sleep 1000")
	p.run("two", "exit 0")
	p.wait("two", "")
	task, sandbox := "containerd.task.v3.Task", "containerd.runtime.sandbox.v1.Sandbox"
	for _, c := range []struct {
		service, method string
		in              protobuf.Message
		want            ttrpc.Code
	}{
		{task, "State", &api.StateRequest{ID: "none"}, ttrpc.NotFound},
		{task, "State", &api.StateRequest{ID: "one", ExecID: "none"}, ttrpc.NotFound},
		{task, "Kill", &api.KillRequest{ID: "two", Signal: uint32(unix.SIGTERM)}, ttrpc.NotFound},
		{task, "Create", &api.CreateTaskRequest{ID: "one", Bundle: p.dir}, ttrpc.AlreadyExists},
		{task, "Create", &api.CreateTaskRequest{ID: "three", Options: &protobuf.Any{TypeURL: "other", Value: []byte{1}}}, ttrpc.InvalidArgument},
		{task, "Delete", &api.DeleteRequest{ID: "one"}, ttrpc.FailedPrecondition},
		{task, "Start", &api.StartRequest{ID: "one"}, ttrpc.FailedPrecondition},
		{task, "Resume", &api.ResumeRequest{ID: "one"}, ttrpc.FailedPrecondition},
		{task, "Exec", &api.ExecProcessRequest{ID: "one", ExecID: "../x", Spec: process("exit 0")}, ttrpc.InvalidArgument},
		{task, "Exec", &api.ExecProcessRequest{ID: "one", ExecID: "x"}, ttrpc.InvalidArgument},
		{task, "Unknown", &protobuf.Empty{}, ttrpc.Unimplemented},
		{sandbox, "UpdateSandbox", &protobuf.Empty{}, ttrpc.Unimplemented},
		{sandbox, "SandboxStatus", &api.SandboxStatusRequest{SandboxID: "none"}, ttrpc.NotFound},
		{"unknown.Service", "State", &protobuf.Empty{}, ttrpc.Unimplemented},
	} {
		err := p.connect().callOf(c.service, c.method, c.in, &protobuf.Empty{})
		var status *ttrpc.Status
		if !errors.As(err, &status) || status.Code != c.want || strings.Contains(status.Message, "\n") {
			t.Errorf("%s: got %v, want one line of the kind %d", c.method, err, c.want)
		}
	}
}

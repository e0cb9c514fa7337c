package main

import (
	"testing"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
)

const sandboxService = "containerd.runtime.sandbox.v1.Sandbox"

// sandbox makes a call of the sandbox service, which must succeed.
func (p *pod) sandbox(method string, in, out protobuf.Message) {
	p.t.Helper()
	if err := p.connect().callOf(sandboxService, method, in, out); err != nil {
		p.t.Fatalf("%s: %v", method, err)
	}
}

func (p *pod) sandboxStatus(id string) *api.SandboxStatusResponse {
	p.t.Helper()
	s := &api.SandboxStatusResponse{}
	p.sandbox("SandboxStatus", &api.SandboxStatusRequest{SandboxID: id}, s)
	return s
}

// A sandbox is what it was when its supervisor has been killed, at each step of its
// life, and whoever waits for its end hears of it.
func TestSandboxOutlivesSupervisor(t *testing.T) {
	p := newPod(t)
	p.bundle("one", "exit 0")
	p.start("one")
	p.sandbox("CreateSandbox", &api.CreateSandboxRequest{SandboxID: "one"}, &protobuf.Empty{})
	p.killQuietly()
	if got := p.sandboxStatus("one").State; got != "SANDBOX_NOTREADY" {
		t.Errorf("a created one is %s", got)
	}
	p.sandbox("StartSandbox", &api.StartSandboxRequest{SandboxID: "one"}, &api.StartSandboxResponse{})
	ended, c := make(chan error, 1), p.connect()
	go func() {
		ended <- c.callOf(sandboxService, "WaitSandbox", &api.WaitSandboxRequest{SandboxID: "one"}, &api.WaitSandboxResponse{})
	}()
	before := p.sandboxStatus("one")
	p.killQuietly()
	after := p.sandboxStatus("one")
	if after.State != "SANDBOX_READY" || *after.CreatedAt != *before.CreatedAt {
		t.Errorf("a started one is %s, made at %v, and was made at %v", after.State, after.CreatedAt, before.CreatedAt)
	}
	p.sandbox("StopSandbox", &api.StopSandboxRequest{SandboxID: "one"}, &protobuf.Empty{})
	if err := <-ended; err != nil {
		t.Errorf("waiting for it: %v", err)
	}
	p.killQuietly()
	if got := p.sandboxStatus("one"); got.State != "SANDBOX_NOTREADY" || got.ExitedAt == nil {
		t.Errorf("a stopped one is %s, ended at %v", got.State, got.ExitedAt)
	}
	p.sandbox("ShutdownSandbox", &api.ShutdownSandboxRequest{SandboxID: "one"}, &protobuf.Empty{})
	p.address = "" // with the last sandbox the supervisor ends
}

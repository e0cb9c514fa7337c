package main

import (
	"os"
	"testing"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"

	"github.com/davit-containers/davit/conformance/needs"
)

// process is an exec's specification.
func process(script string) *protobuf.Any {
	return &protobuf.Any{TypeURL: api.ProcessName, Value: []byte(
		`{"args":["/bin/sh","-c","` + script + `"],"cwd":"/","env":["PATH=/bin"],"user":{"uid":0,"gid":0}}`)}
}

// A runtime by its command line is supervised as libcontainer is, also by the
// supervisor after one that was killed.
func TestOtherRuntime(t *testing.T) {
	for _, runtime := range []string{"runc"} {
		t.Run(runtime, func(t *testing.T) {
			p := newPod(t)
			needs.Program(t, runtime)
			p.binary = runtime
			out := p.run("one", "echo hello; trap 'exit 5' TERM; while :; do sleep 1000 & wait $!; done")
			p.exec("one", "e", "exit 6", 6)
			p.kill()
			p.exec("one", "f", "exit 7", 7)
			p.do("Kill", &api.KillRequest{ID: "one", Signal: 9}, &protobuf.Empty{})
			if status := p.wait("one", ""); status != 137 {
				t.Errorf("status %d", status)
			}
			p.delete("one")
			if data, err := os.ReadFile(out); string(data) != "hello\n" || err != nil {
				t.Errorf("output %q, %v", data, err)
			}
		})
	}
}

// exec runs a further process to its end.
func (p *pod) exec(id, exec, script string, want uint32) {
	p.t.Helper()
	p.do("Exec", &api.ExecProcessRequest{ID: id, ExecID: exec, Spec: process(script)}, &protobuf.Empty{})
	p.do("Start", &api.StartRequest{ID: id, ExecID: exec}, &api.StartResponse{})
	if got := p.wait(id, exec); got != want {
		p.t.Errorf("exec %s has status %d, want %d", exec, got, want)
	}
	p.do("Delete", &api.DeleteRequest{ID: id, ExecID: exec}, &api.DeleteResponse{})
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// hooked gives a container hooks that write down which trace they are part of.
func (p *pod) hooked(id string, kinds ...string) {
	p.t.Helper()
	path := filepath.Join(p.dir, "bundles", id, "config.json")
	config := map[string]any{}
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	hooks := map[string]any{}
	for _, kind := range kinds {
		script := "echo $TRACEPARENT $TRACESTATE >" + filepath.Join(p.dir, kind)
		hooks[kind] = []any{map[string]any{"path": "/bin/sh", "args": []string{"sh", "-c", script}}}
	}
	config["hooks"] = hooks
	if err == nil {
		data, err = json.Marshal(config)
	}
	if err == nil {
		err = os.WriteFile(path, data, 0o644)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// The trace of a call is its hooks', and not the program's, with either maker of
// containers.
func TestTrace(t *testing.T) {
	for name, binary := range map[string]string{"davit": "", "a runtime's command line": "runc"} {
		t.Run(name, func(t *testing.T) {
			if binary != "" {
				needs.Program(t, binary)
			}
			p := newPod(t)
			p.binary = binary
			dir := p.bundle("one", "echo [$TRACEPARENT]")
			p.hooked("one", "createRuntime", "poststart", "poststop")
			p.start("one")
			out := filepath.Join(p.dir, "one.out")
			parents := map[string]string{
				"Create": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
				"Start":  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203332-01",
				"Delete": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203333-01",
			}
			part := func(method string) {
				p.connect().c.Metadata = []ttrpc.KeyValue{{Key: "traceparent", Value: parents[method]}, {Key: "tracestate", Value: "a=b"}}
			}
			part("Create")
			p.do("Create", &api.CreateTaskRequest{ID: "one", Bundle: dir, Stdout: "file://" + out, Options: p.options()}, &api.CreateTaskResponse{})
			part("Start")
			p.do("Start", &api.StartRequest{ID: "one"}, &api.StartResponse{})
			p.wait("one", "")
			part("Delete")
			p.delete("one")
			hooks := map[string]string{"createRuntime": "Create", "poststart": "Start", "poststop": "Delete"}
			if binary != "" {
				delete(hooks, "poststart") // runc 1.1 runs it in its create
			}
			for hook, method := range hooks {
				if data, err := os.ReadFile(filepath.Join(p.dir, hook)); string(data) != parents[method]+" a=b\n" || err != nil {
					t.Errorf("%s is part of %q, %v", hook, data, err)
				}
			}
			if data, err := os.ReadFile(out); string(data) != "[]\n" || err != nil {
				t.Errorf("the program is part of %q, %v", data, err)
			}
		})
	}
}

// What is no traceparent is no hook's business.
func TestNoTrace(t *testing.T) {
	p := newPod(t)
	dir := p.bundle("one", "exit 0")
	p.hooked("one", "createRuntime")
	p.start("one")
	p.connect().c.Metadata = []ttrpc.KeyValue{{Key: "traceparent", Value: "00-zz"}, {Key: "tracestate", Value: "a=b"}}
	p.do("Create", &api.CreateTaskRequest{ID: "one", Bundle: dir, Options: p.options()}, &api.CreateTaskResponse{})
	if data, err := os.ReadFile(filepath.Join(p.dir, "createRuntime")); string(data) != "\n" || err != nil {
		t.Errorf("the hook is part of %q, %v", data, err)
	}
}

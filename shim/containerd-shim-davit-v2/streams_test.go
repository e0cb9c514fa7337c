package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/stdio"
)

// create makes and starts a container with streams.
func (p *pod) create(id, script string, r *api.CreateTaskRequest) error {
	p.t.Helper()
	r.ID, r.Bundle, r.Options = id, p.bundle(id, script), p.options()
	p.start(id)
	if err := p.connect().call("Create", r, &api.CreateTaskResponse{}); err != nil {
		return err
	}
	return p.connect().call("Start", &api.StartRequest{ID: id}, &api.StartResponse{})
}

// A logging program gets both outputs, and has time to write them down. One
// that does not say that it is ready keeps the container from being made.
func TestLoggingProgram(t *testing.T) {
	for scheme, ready := range map[string]string{"binary": "", "binary-v2": "echo >&5\n"} {
		p := newPod(t)
		program, log := filepath.Join(p.dir, "logger"), filepath.Join(p.dir, "log")
		script := "#!/bin/sh\n" + ready + "exec 5>&-\n{ cat <&3; cat <&4; echo $CONTAINER_ID $CONTAINER_NAMESPACE $1 $2; } >" + log + "\n"
		if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		uri := scheme + "://" + program + "?key=value"
		if err := p.create("one", "echo out; echo err >&2", &api.CreateTaskRequest{Stdout: uri, Stderr: uri}); err != nil {
			t.Fatal(err)
		}
		p.wait("one", "")
		p.delete("one")
		if data, err := os.ReadFile(log); string(data) != "out\nerr\none test key value\n" || err != nil {
			t.Errorf("%s: the log is %q, %v", scheme, data, err)
		}
		if err := p.create("two", "exit 0", &api.CreateTaskRequest{Stdout: "binary-v2:///bin/true"}); err == nil {
			t.Error("a logging program that is never ready was taken")
		}
	}
}

// A terminal has a size, echoes, and ends with the process.
func TestTerminal(t *testing.T) {
	p := newPod(t)
	p.terminal = true
	fifo := filepath.Join(p.dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(p.dir, "out")
	err := p.create("one", "read x; stty size; exit 6", &api.CreateTaskRequest{Terminal: true, Stdin: fifo, Stdout: "file://" + out})
	if err != nil {
		t.Fatal(err)
	}
	p.do("ResizePty", &api.ResizePtyRequest{ID: "one", Width: 132, Height: 43}, &protobuf.Empty{})
	if err := os.WriteFile(fifo, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	if status := p.wait("one", ""); status != 6 {
		t.Errorf("status %d", status)
	}
	p.delete("one")
	if data, err := os.ReadFile(out); string(data) != "go\r\n43 132\r\n" || err != nil {
		t.Errorf("output %q, %v", data, err)
	}
}

// An exec whose child keeps its streams is deleted in bounded time, and what
// the exec itself wrote is there.
func TestClingingChild(t *testing.T) {
	p := newPod(t)
	p.run("one", "sleep 1000")
	out := filepath.Join(p.dir, "exec.out")
	p.do("Exec", &api.ExecProcessRequest{ID: "one", ExecID: "e", Stdout: "file://" + out, Spec: process("(sleep 1000) & echo mine; exit 2")}, &protobuf.Empty{})
	p.do("Start", &api.StartRequest{ID: "one", ExecID: "e"}, &api.StartResponse{})
	if status := p.wait("one", "e"); status != 2 {
		t.Errorf("status %d", status)
	}
	begin := time.Now()
	p.do("Delete", &api.DeleteRequest{ID: "one", ExecID: "e"}, &api.DeleteResponse{})
	if took := time.Since(begin); took > 2*stdio.Grace {
		t.Errorf("deleting took %v", took)
	}
	if data, err := os.ReadFile(out); string(data) != "mine\n" || err != nil {
		t.Errorf("output %q, %v", data, err)
	}
}

// Input ends when its writer goes and CloseIO has been called, in either order.
func TestInput(t *testing.T) {
	p := newPod(t)
	p.run("one", "sleep 1000")
	for _, early := range []bool{true, false} {
		fifo, out := filepath.Join(p.dir, "in"), filepath.Join(p.dir, "cat.out")
		os.Remove(fifo)
		os.Remove(out)
		if err := unix.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		p.do("Exec", &api.ExecProcessRequest{ID: "one", ExecID: "e", Stdin: fifo, Stdout: "file://" + out, Spec: process("cat; exit 1")}, &protobuf.Empty{})
		w, err := os.OpenFile(fifo, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		w.WriteString("text\n")
		closing := &api.CloseIORequest{ID: "one", ExecID: "e", Stdin: true}
		if early {
			p.do("CloseIO", closing, &protobuf.Empty{})
		}
		p.do("Start", &api.StartRequest{ID: "one", ExecID: "e"}, &api.StartResponse{})
		w.Close()
		if !early {
			p.do("CloseIO", closing, &protobuf.Empty{})
		}
		if status := p.wait("one", "e"); status != 1 {
			t.Errorf("status %d", status)
		}
		p.do("Delete", &api.DeleteRequest{ID: "one", ExecID: "e"}, &api.DeleteResponse{})
		if data, err := os.ReadFile(out); string(data) != "text\n" || err != nil {
			t.Errorf("output %q, %v", data, err)
		}
	}
}

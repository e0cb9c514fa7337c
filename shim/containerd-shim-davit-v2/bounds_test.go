package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
)

// peakMemory is the most that a process has had, in kB.
func peakMemory(t *testing.T, pid int) (peak int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(rest, &peak); err != nil {
		t.Fatal(err)
	}
	return peak
}

// outputTo starts an exec whose output goes to a FIFO.
func (p *pod) outputTo(exec, fifo, script string) {
	p.t.Helper()
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.do("Exec", &api.ExecProcessRequest{ID: "one", ExecID: exec, Stdout: fifo, Spec: process(script)}, &protobuf.Empty{})
	p.do("Start", &api.StartRequest{ID: "one", ExecID: exec}, &api.StartResponse{})
}

// CVE-2022-31030: what a process prints costs the supervisor no memory, however
// much it is.
func TestExecOutputCostsNoMemory(t *testing.T) {
	p := newPod(t)
	p.run("one", "sleep 1000")
	p.exec("one", "warm", "exit 0", 0)
	const size = 64 << 20
	before := peakMemory(t, p.supervisor())
	fifo := filepath.Join(p.dir, "fifo")
	p.outputTo("e", fifo, fmt.Sprintf("head -c %d /dev/zero", size))
	reader, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if n, err := io.CopyN(io.Discard, reader, size); err != nil {
		t.Errorf("%d bytes came, %v", n, err)
	}
	if status := p.wait("one", "e"); status != 0 {
		t.Errorf("status %d", status)
	}
	p.do("Delete", &api.DeleteRequest{ID: "one", ExecID: "e"}, &api.DeleteResponse{})
	const most = 16 << 10
	if after := peakMemory(t, p.supervisor()); after > before+most {
		t.Errorf("the supervisor had %d kB, and before %d", after, before)
	}
}

// CVE-2022-23471: those who come to read, and go, leave nothing behind, and the
// process goes on.
func TestAbortedReaders(t *testing.T) {
	p := newPod(t)
	p.run("one", "sleep 1000")
	p.exec("one", "warm", "exit 0", 0)
	fifo := filepath.Join(p.dir, "fifo")
	p.outputTo("e", fifo, "while :; do echo line; done")
	pid := p.supervisor()
	before := descriptors(t, pid)
	for range 1000 {
		reader, err := os.Open(fifo)
		if err == nil {
			_, err = reader.Read(make([]byte, 100))
			reader.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if after := descriptors(t, pid); after > before {
		t.Errorf("the supervisor has %d descriptors, and had %d", after, before)
	}
	if now := p.supervisor(); now != pid {
		t.Errorf("the supervisor is %d, and was %d", now, pid)
	}
	reader, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	p.do("Kill", &api.KillRequest{ID: "one", ExecID: "e", Signal: 9}, &protobuf.Empty{})
	go io.Copy(io.Discard, reader)
	if status := p.wait("one", "e"); status != 137 {
		t.Errorf("status %d", status)
	}
	p.do("Delete", &api.DeleteRequest{ID: "one", ExecID: "e"}, &api.DeleteResponse{})
}

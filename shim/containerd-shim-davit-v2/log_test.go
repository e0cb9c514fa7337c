package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
)

// Output that nobody takes is lost after a bounded time, and containerd's log says
// how much it was.
func TestLostOutputIsLogged(t *testing.T) {
	p := newPod(t)
	p.bundle("one", "sleep 1000")
	if err := unix.Mkfifo(p.file("log"), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(p.file("log"), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.launch("one")
	// A FIFO that is full at 64 KiB, and the pipe before it.
	p.outputTo("e", filepath.Join(p.dir, "fifo"), "head -c 100000 /dev/zero")
	p.wait("one", "e")
	p.do("Delete", &api.DeleteRequest{ID: "one", ExecID: "e"}, &api.DeleteResponse{})
	log.SetReadDeadline(time.Now().Add(answerTime))
	said := make([]byte, 4096)
	n, err := log.Read(said)
	line := string(said[:n])
	if err != nil || !strings.Contains(line, "level=warning") || !strings.Contains(line, "nobody has read the last 34464 bytes of its output for 10s: they are lost") {
		t.Errorf("the log has %q, %v", line, err)
	}
}

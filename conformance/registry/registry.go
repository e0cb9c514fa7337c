// Package registry runs Debian's docker-registry on loopback, for tests that push to
// one, pull from it, and kill it meanwhile.
//
// It is not for what only a hostile registry answers: tests of that have a server of
// their own.
package registry

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
)

// Registry is one that keeps what it has in a directory.
type Registry struct {
	// Host is its address, as images' names have it: 127.0.0.1:5000.
	Host string

	tb     testing.TB
	config string
	cmd    *exec.Cmd
}

// New is a registry that keeps what it has below dir, and runs until the test ends.
func New(tb testing.TB, dir string) *Registry {
	tb.Helper()
	needs.Program(tb, "docker-registry")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	r := &Registry{Host: free.Addr().String(), tb: tb, config: filepath.Join(dir, "registry.yml")}
	free.Close()
	text := fmt.Sprintf("version: 0.1\nlog: {accesslog: {disabled: true}, level: info}\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: %q}\n", filepath.Join(dir, "registry"), r.Host)
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	r.Start()
	tb.Cleanup(r.Kill)
	return r
}

// Start runs the registry again, which was killed, and waits until it listens.
func (r *Registry) Start() {
	r.tb.Helper()
	r.cmd = exec.Command("docker-registry", "serve", r.config)
	log, err := r.cmd.StderrPipe()
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		r.tb.Fatalf("starting docker-registry: %v", err)
	}
	listens := make(chan string, 1)
	go listening(log, listens)
	if said := <-listens; said != "" {
		r.tb.Fatalf("docker-registry does not listen: %s", said)
	}
}

// listening tells with an empty text when a log says that the registry listens, else at
// its end what it said last. All of it is read: who logs must not wait.
func listening(log io.Reader, listens chan<- string) {
	last := "no word"
	for in := bufio.NewReader(log); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			break
		}
		if last = line; strings.Contains(line, `msg="listening on `) {
			listens <- ""
			_, _ = io.Copy(io.Discard, in)
			return
		}
	}
	listens <- last
}

// Kill ends the registry, whatever it does.
func (r *Registry) Kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

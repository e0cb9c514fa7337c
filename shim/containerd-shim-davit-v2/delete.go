package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/engine"
	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// askTime is how long a supervisor may take that is there after all.
const askTime = 3 * time.Second

// delete removes a container whose supervisor does not answer any more, and
// prints how it ended. A supervisor that was started again is asked to; what
// it has done already, or cannot do, is done here.
func (c *call) delete() error {
	bundle, err := c.bundleDir()
	if err != nil {
		return err
	}
	socket := addressOf(bundle)
	answer, asked := askSupervisor(socket, c.id)
	if !asked {
		pid, exit, err := engine.CleanUp(c.namespace, c.id, bundle, socket+exitsSuffix, complain)
		if err != nil {
			complain(err.Error())
		}
		answer = &api.DeleteResponse{Pid: uint32(pid), ExitStatus: exit.Status, ExitedAt: protobuf.Stamp(exit.At)}
	}
	_, err = os.Stdout.Write(protobuf.Marshal(answer))
	return err
}

// complain tells what containerd logs as a warning.
func complain(message string) { fmt.Fprintln(os.Stderr, oneLine(message)) }

// bundleDir is the container's bundle: beside the one that this program was
// called in, which may be that of another of its group.
func (c *call) bundleDir() (string, error) {
	if c.bundle != "" {
		return c.bundle, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(dir), c.id), nil
}

// addressOf is the path of the socket of a bundle's supervisor; "" where it
// says none.
func addressOf(bundle string) string {
	data, err := os.ReadFile(filepath.Join(bundle, addressFile))
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.TrimSpace(string(data)), "unix://")
}

// askSupervisor has a supervisor kill and delete the container. It does not
// know every container: false is no failure.
func askSupervisor(socket, id string) (answer *api.DeleteResponse, ok bool) {
	if socket == "" {
		return nil, false
	}
	l, err := loop.New()
	if err != nil {
		return nil, false
	}
	client, err := ttrpc.Dial(l, socket, func(error) { l.Stop() })
	if err != nil {
		return nil, false
	}
	const service = "containerd.task.v3.Task"
	client.Call(service, "Kill", &api.KillRequest{ID: id, Signal: uint32(unix.SIGKILL), All: true}, func([]byte, error) {
		client.Call(service, "Wait", &api.WaitRequest{ID: id}, func([]byte, error) {
			client.Call(service, "Delete", &api.DeleteRequest{ID: id}, func(data []byte, err error) {
				answer = &api.DeleteResponse{}
				ok = err == nil && protobuf.Unmarshal(data, answer) == nil
				client.Call(service, "Shutdown", &api.ShutdownRequest{ID: id}, func([]byte, error) { l.Stop() })
			})
		})
	})
	l.After(askTime, l.Stop)
	l.Run()
	return answer, ok
}

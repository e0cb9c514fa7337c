package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/davit-containers/davit/libcontainer"
)

// name is the runtime's, as containerd knows it.
const name = "io.containerd.davit.v2"

// call is how this program was called.
type call struct {
	namespace, id, address, bundle string
	debug, version, info           bool
	action                         string
}

func main() {
	c, err := parse(os.Args[1:])
	if err == nil {
		err = c.run()
	}
	if err != nil {
		// containerd reports what it finds on standard error, whole.
		fmt.Fprintf(os.Stderr, "%s: %s\n", name, oneLine(err.Error()))
		os.Exit(1)
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// parse reads the command line. Its flags are containerd's, of any version. Of
// those, publish-binary, socket and debug-socket have no use here: events go
// over ttrpc, and sockets are made by start.
func parse(args []string) (*call, error) {
	c := &call{}
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&c.namespace, "namespace", "", "namespace that owns the shim")
	f.StringVar(&c.id, "id", "", "id of the task")
	f.StringVar(&c.address, "address", "", "address of containerd's main socket")
	f.String("publish-binary", "", "containerd's own program, which could publish events")
	f.StringVar(&c.bundle, "bundle", "", "path to the bundle, the working directory otherwise")
	f.String("socket", "", "socket path to serve")
	f.String("debug-socket", "", "debug socket path to serve")
	f.BoolVar(&c.debug, "debug", false, "log more, and serve a socket with profiles")
	f.BoolVar(&c.version, "v", false, "show the version")
	f.BoolVar(&c.version, "version", false, "show the version")
	f.BoolVar(&c.info, "info", false, "tell what the runtime can do")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	c.action = f.Arg(0)
	return c, nil
}

func (c *call) run() error {
	switch {
	case c.version:
		return c.printVersion()
	case c.info:
		return c.printInfo()
	case c.namespace == "":
		return fmt.Errorf("shim namespace cannot be empty")
	case c.id == "":
		return fmt.Errorf("the task's id cannot be empty")
	}
	switch c.action {
	case "start":
		return c.start()
	case "delete":
		return c.delete()
	case "serve":
		return c.serve()
	}
	return fmt.Errorf("unknown action %q: start and delete are known", c.action)
}

func (c *call) printVersion() error {
	_, err := fmt.Printf("%s:\n  Version:  %s\n  Revision: %s\n  Go version: %s\n\n", os.Args[0], libcontainer.Version, libcontainer.Commit(), runtime.Version())
	return err
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/engine"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/task"
)

// printInfo prints what the runtime can do. Standard input may have its
// options.
func (c *call) printInfo() error {
	data, err := io.ReadAll(io.LimitReader(os.Stdin, maxInput))
	if err != nil {
		return fmt.Errorf("reading standard input: %w", err)
	}
	info := &api.RuntimeInfo{Name: name, Version: &api.RuntimeVersion{Version: libcontainer.Version, Revision: libcontainer.Commit()}}
	options := &api.Options{}
	if len(data) > 0 {
		info.Options = &protobuf.Any{}
		if err := protobuf.Unmarshal(data, info.Options); err != nil {
			return fmt.Errorf("reading standard input: %w", err)
		}
		if options, err = task.RuncOptions(info.Options); err != nil {
			return err
		}
	}
	features, err := featuresOf(options.BinaryName)
	if err != nil {
		return err
	}
	if features != nil {
		info.Features = &protobuf.Any{TypeURL: api.FeaturesName, Value: features}
	}
	_, err = os.Stdout.Write(protobuf.Marshal(info))
	return err
}

// featuresOf are a runtime's, as JSON; "" is libcontainer. A runtime that does
// not say has none that are known.
func featuresOf(binary string) ([]byte, error) {
	if binary == "" {
		return json.Marshal(libcontainer.Features())
	}
	path, err := exec.LookPath(binary)
	if err != nil {
		return nil, fmt.Errorf("finding the runtime: %w", err)
	}
	out, err := engine.FeaturesOf(path)
	var exit *exec.ExitError
	if errors.As(err, &exit) || err == nil && !json.Valid(out) {
		return nil, nil
	}
	return out, err
}

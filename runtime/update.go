package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/libcontainer/spec"
)

// updating has the flags of davit update.
type updating struct {
	limitFlags
	resources     string
	l3CacheSchema string
	memBwSchema   string
}

// updateCommand is davit update.
func (p *program) updateCommand() *cobra.Command {
	var u updating
	cmd := &cobra.Command{
		Use:   "update <container-id>",
		Short: "change the limits of a container",
		Long: `Changes limits of a container that has not stopped. What is not given stays as it
is; if one limit cannot be changed, all stay. With --resources the limits are read
from a file, an object like linux.resources in config.json, and other options but
those of Intel RDT are ignored:

    {
      "memory": {"limit": 0, "reservation": 0, "swap": 0, "checkBeforeUpdate": true},
      "cpu": {
        "shares": 0, "quota": 0, "period": 0, "burst": 0, "idle": 0,
        "realtimeRuntime": 0, "realtimePeriod": 0, "cpus": "", "mems": ""
      },
      "pids": {"limit": 0},
      "blockIO": {"weight": 0, "weightDevice": [], "throttleReadBpsDevice": []},
      "hugepageLimits": [],
      "unified": {}
    }

Device rules do not change.`,
		Args: p.exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			u.changed = cmd.Flags().Changed
			return p.update(args[0], &u)
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVarP(&u.resources, "resources", "r", "", "read the limits from `FILE`; - is standard input")
	u.limitFlags.register(fs)
	fs.StringVar(&u.l3CacheSchema, "l3-cache-schema", "", "the `SCHEMA` of Intel RDT's L3 cache allocation, such as L3:0=7f0;1=01f")
	fs.StringVar(&u.memBwSchema, "mem-bw-schema", "", "the `SCHEMA` of Intel RDT's memory bandwidth allocation, such as MB:0=20;1=70")
	return cmd
}

// update changes a container's limits.
func (p *program) update(id string, u *updating) error {
	container, err := p.load(id)
	if err != nil {
		return err
	}
	defer container.Close()
	resources, err := u.limits()
	if err != nil {
		return err
	}
	return container.Update(libcontainer.Update{
		Resources: resources, L3CacheSchema: u.l3CacheSchema, MemBwSchema: u.memBwSchema,
	})
}

// limits are the limits to change.
func (u *updating) limits() (*specs.LinuxResources, error) {
	if u.resources != "" {
		return readResources(u.resources)
	}
	return u.limitFlags.resources()
}

// readResources reads a resources object from a file or standard input.
func readResources(file string) (*specs.LinuxResources, error) {
	in := os.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, spec.MaxSize+1))
	if err != nil {
		return nil, err
	}
	return spec.DecodeResources(data)
}

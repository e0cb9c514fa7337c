package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/spec"
)

// configName is the name of a bundle's configuration.
// Spec: bundle.md#container-format
const configName = "config.json"

// specification has the flags of davit spec.
type specification struct {
	bundle   string
	rootless bool
}

// specCommand is davit spec.
func (p *program) specCommand() *cobra.Command {
	var s specification
	cmd := &cobra.Command{
		Use:   "spec",
		Short: "write a config.json to start from",
		Long: `Writes a new config.json that runs sh on a terminal, with the namespaces, mounts
and capabilities that containers commonly have. It expects the root file system
in the directory rootfs beside it.

    # mkdir -p hello/rootfs
    # tar -C hello/rootfs -xf rootfs.tar
    # davit spec -b hello
    # davit run -b hello hello1

With --rootless the container can be run by a user who is not root. That is not
needed for the root of a user namespace which such a user has made.`,
		Args: p.exactly(0),
		RunE: func(*cobra.Command, []string) error { return s.write() },
	}
	cmd.Flags().StringVarP(&s.bundle, "bundle", "b", "", "write it to `DIR` (default is the current directory)")
	cmd.Flags().BoolVar(&s.rootless, "rootless", false, "for a user who is not root")
	return cmd
}

// config is the configuration to start from.
func (s *specification) config() *specs.Spec {
	config := spec.Default()
	if onlyCgroup2() {
		spec.AddCgroupNamespace(config)
	}
	if s.rootless {
		spec.Rootless(config, uint32(os.Geteuid()), uint32(os.Getegid()))
	}
	return config
}

// onlyCgroup2 tells whether cgroup v2 is all that the host has.
func onlyCgroup2() bool {
	var fs unix.Statfs_t
	return unix.Statfs("/sys/fs/cgroup", &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC
}

// write writes the default configuration to a bundle that has none.
func (s *specification) write() error {
	data, err := spec.Encode(s.config())
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(s.bundle, configName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("File %s exists. Remove it first", configName) // Compat(runc): its text
	}
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

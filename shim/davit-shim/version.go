package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/listing"
)

// versionDetails are what this program is.
// Compat(moby): client and server are this one program.
type versionDetails struct{ Client, Server versionOf }

type versionOf struct{ Version, GitCommit, GoVersion, Os, Arch string }

// versionCommand is davit-shim version.
func (p *program) versionCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "show the version of davit-shim",
		Long: `Shows the version, and what the program was built from. There is no server: in a
template of --format it is the program too, {{.Server.Version}}.`,
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error { return p.version(format) },
	}
	cmd.Flags().StringVarP(&format, "format", "f", "", "print by `TEMPLATE`, or json")
	return cmd
}

func (p *program) version(format string) error {
	v := versionOf{Version: version, GoVersion: runtime.Version(), Os: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.GitCommit = s.Value
			}
		}
	}
	switch format {
	case "":
		_, err := fmt.Fprintf(p.out, "Version:    %s\nGit commit: %s\nGo version: %s\nOS/Arch:    %s/%s\n", v.Version, v.GitCommit, v.GoVersion, v.Os, v.Arch)
		return err
	case "json":
		format = "{{json .}}"
	}
	t, err := listing.Template(format)
	if err != nil {
		return err
	}
	return listing.Execute(p.out, t, versionDetails{v, v})
}

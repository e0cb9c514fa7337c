package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/rootfs"
	"github.com/davit-containers/davit/shim/assembly"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/listing"
	"github.com/davit-containers/davit/shim/options"
)

// infoDetails are what is known of this installation and of this machine.
// Compat(moby): the names.
type infoDetails struct {
	Name                                                               string
	Containers, ContainersRunning, ContainersPaused, ContainersStopped int
	Images                                                             int
	Driver                                                             string
	Plugins                                                            pluginDetails
	LoggingDriver                                                      string
	CgroupDriver, CgroupVersion                                        string
	DefaultRuntime                                                     string
	SecurityOptions                                                    []string
	Rootless                                                           bool
	KernelVersion, OperatingSystem, OSType, Architecture               string
	NCPU                                                               int
	MemTotal                                                           int64
	DockerRootDir                                                      string
	RunDir                                                             string // ours
	ServerVersion                                                      string
	Warnings                                                           []string
}

// pluginDetails are what there is of each kind.
type pluginDetails struct{ Volume, Network, Log []string }

// infoCommand is davit-shim info.
func (p *program) infoCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "info",
		Short: "show where things are kept, and how containers are run here",
		Long: `Shows how many containers and images there are, where they are kept, and what this
machine has for them. A template of --format names what --format json prints:
{{.CgroupVersion}}.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.info(cmd.Context(), format) },
	}
	cmd.Flags().StringVarP(&format, "format", "f", "", "print by `TEMPLATE`, or json")
	return cmd
}

func (p *program) info(ctx context.Context, format string) error {
	d, err := p.infoDetails(ctx)
	if err != nil {
		return err
	}
	switch format {
	case "":
		return d.print(p)
	case "json":
		format = "{{json .}}"
	}
	t, err := listing.Template(format)
	if err != nil {
		return err
	}
	return listing.Execute(p.out, t, d)
}

func (p *program) infoDetails(ctx context.Context) (*infoDetails, error) {
	d := &infoDetails{
		Plugins: pluginDetails{
			Volume: []string{"local"}, Network: []string{"bridge", "container", "host", "none", "pasta", "slirp4netns"},
			Log: []string{"journald", "json-file", "none"},
		},
		LoggingDriver: "json-file", DefaultRuntime: "davit", Rootless: p.inside, OSType: "linux",
		NCPU: runtime.NumCPU(), ServerVersion: version, Warnings: []string{},
	}
	for _, step := range [...]func(context.Context, *infoDetails) error{p.countContainers, p.countImages, p.lookAtMachine, p.lookAtCgroups, p.lookAtStorage} {
		if err := step(ctx, d); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (p *program) countContainers(_ context.Context, d *infoDetails) error {
	s, err := p.containers()
	if err != nil {
		return err
	}
	d.DockerRootDir, d.RunDir = s.Root(), s.Run()
	list, err := s.List()
	for _, c := range list {
		state, failed := c.State()
		if failed != nil {
			continue // it was removed just now
		}
		d.Containers++
		switch state.Status {
		case container.Running, container.Restarting:
			d.ContainersRunning++
		case container.Paused:
			d.ContainersPaused++
		default:
			d.ContainersStopped++
		}
	}
	return err
}

func (p *program) countImages(ctx context.Context, d *infoDetails) error {
	s, err := p.store()
	if err != nil {
		return err
	}
	images, err := s.Images(ctx)
	d.Images = len(images)
	return err
}

// lookAtMachine is what uname(2) and sysinfo(2) tell, and the distribution's name.
func (p *program) lookAtMachine(_ context.Context, d *infoDetails) error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return os.NewSyscallError("uname", err)
	}
	var si unix.Sysinfo_t
	if err := unix.Sysinfo(&si); err != nil {
		return os.NewSyscallError("sysinfo", err)
	}
	d.MemTotal = int64(uint64(si.Totalram) * uint64(si.Unit))
	d.Name, d.KernelVersion = unix.ByteSliceToString(u.Nodename[:]), unix.ByteSliceToString(u.Release[:])
	d.Architecture, d.OperatingSystem = unix.ByteSliceToString(u.Machine[:]), operatingSystem()
	return nil
}

// operatingSystem is the distribution's name.
// Source: os-release(5).
func operatingSystem() string {
	for _, file := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
				return strings.Trim(name, `"'`)
			}
		}
	}
	return "Linux"
}

func (p *program) lookAtCgroups(_ context.Context, d *infoDetails) error {
	facts, err := options.Host()
	if err != nil {
		return err
	}
	d.CgroupVersion = "1"
	if facts.Cgroup2 {
		d.CgroupVersion = "2"
	}
	w := assembly.Wanted{CgroupManager: p.globals.cgroupManager, Inside: p.inside, Facts: facts}
	manager, err := w.Manager()
	d.CgroupDriver = string(manager)
	for _, has := range []struct{ file, name string }{
		{"/proc/sys/kernel/seccomp/actions_avail", "name=seccomp,profile=builtin"}, {"/sys/kernel/security/apparmor", "name=apparmor"}, {"/sys/fs/selinux/enforce", "name=selinux"},
	} {
		if _, err := os.Stat(has.file); err == nil {
			d.SecurityOptions = append(d.SecurityOptions, has.name)
		}
	}
	if p.inside {
		d.SecurityOptions = append(d.SecurityOptions, "name=rootless")
	}
	if facts.Cgroup2 {
		d.SecurityOptions = append(d.SecurityOptions, "name=cgroupns")
	}
	return err
}

// lookAtStorage is how root file systems are made.
func (p *program) lookAtStorage(ctx context.Context, d *infoDetails) error {
	support, err := rootfs.MemoryIn(d.DockerRootDir).Probe(ctx, d.DockerRootDir)
	if err != nil {
		return err
	}
	d.Driver = "overlay"
	if !support.Overlay {
		d.Driver = "plain"
		d.Warnings = append(d.Warnings, "no overlays: "+support.Reason)
	}
	return nil
}

// print is what people read.
func (d *infoDetails) print(p *program) error {
	lines := []struct {
		indent, name string
		value        any
	}{
		{"", "Containers", d.Containers}, {" ", "Running", d.ContainersRunning}, {" ", "Paused", d.ContainersPaused}, {" ", "Stopped", d.ContainersStopped},
		{"", "Images", d.Images}, {"", "Version", d.ServerVersion}, {"", "Storage Driver", d.Driver}, {"", "Logging Driver", d.LoggingDriver},
		{"", "Cgroup Driver", d.CgroupDriver}, {"", "Cgroup Version", d.CgroupVersion},
		{"", "Volume Drivers", strings.Join(d.Plugins.Volume, " ")}, {"", "Networks", strings.Join(d.Plugins.Network, " ")}, {"", "Logging Drivers", strings.Join(d.Plugins.Log, " ")},
		{"", "Runtime", d.DefaultRuntime}, {"", "Security Options", cmp.Or(strings.Join(d.SecurityOptions, " "), "none")}, {"", "Rootless", d.Rootless},
		{"", "Kernel Version", d.KernelVersion}, {"", "Operating System", d.OperatingSystem}, {"", "OSType", d.OSType}, {"", "Architecture", d.Architecture},
		{"", "CPUs", d.NCPU}, {"", "Total Memory", units.BytesSize(float64(d.MemTotal))}, {"", "Name", d.Name},
		{"", "Root Dir", d.DockerRootDir}, {"", "Run Dir", d.RunDir},
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(p.out, "%s%s: %v\n", l.indent, l.name, l.value); err != nil {
			return err
		}
	}
	for _, w := range d.Warnings {
		fmt.Fprintf(p.err, "WARNING: %s\n", oneLine(w))
	}
	return nil
}

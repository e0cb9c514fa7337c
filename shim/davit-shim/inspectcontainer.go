package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/shim/assembly"
	"github.com/davit-containers/davit/shim/bundledir"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/links"
	"github.com/davit-containers/davit/shim/network"
	"github.com/davit-containers/davit/shim/supervise"
)

// containerDetails are all that is known of a container.
// Compat(moby): the names and their order; Bundle and CreateCommand are ours.
type containerDetails struct {
	ID              string `json:"Id"`
	Created         time.Time
	Path            string
	Args            []string
	State           stateDetails
	Image           string
	ResolvConfPath  string
	HostnamePath    string
	HostsPath       string
	LogPath         string
	Name            string
	RestartCount    int
	Driver          string
	Platform        string
	ProcessLabel    string
	AppArmorProfile string
	HostConfig      hostDetails
	GraphDriver     graphDetails
	SizeRw          *int64 `json:",omitempty"`
	Mounts          []mountDetails
	Config          configDetails
	NetworkSettings networkSettings
	Bundle          string
	CreateCommand   []string
}

type stateDetails struct {
	Status                                       container.Status
	Running, Paused, Restarting, OOMKilled, Dead bool
	Pid, ExitCode                                int
	Error                                        string
	StartedAt, FinishedAt                        time.Time
	Health                                       *container.HealthState `json:",omitempty"`
}

// graphDetails are where the root file system's parts are.
type graphDetails struct {
	Data map[string]string
	Name string
}

type mountDetails struct {
	Type        string
	Name        string `json:",omitempty"`
	Source      string
	Destination string
	Mode        string
	RW          bool
	Propagation string
}

type configDetails struct {
	Hostname, Domainname, User string
	AttachStdin                bool
	Tty, OpenStdin             bool
	ExposedPorts               map[string]struct{} `json:",omitempty"`
	Env, Cmd                   []string
	Healthcheck                *container.Health `json:",omitempty"`
	Image                      string
	Volumes                    map[string]struct{}
	WorkingDir                 string
	Entrypoint                 []string
	Labels                     map[string]string
	StopSignal                 string
	StopTimeout                *int `json:",omitempty"`
}

// networkSettings are the container's place in its networks, while it runs.
type networkSettings struct {
	Ports     map[string][]hostPort
	IPAddress string
	Gateway   string
	Networks  map[string]endpointSettings
}

type hostPort struct{ HostIP, HostPort string }

// MarshalJSON writes the names that Docker has.
func (h hostPort) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"HostIp":%q,"HostPort":%q}`, h.HostIP, h.HostPort), nil
}

type endpointSettings struct {
	Aliases     []string
	IPAddress   string
	IPPrefixLen int
	Gateway     string
	MacAddress  string
}

// containerDetailsOf are what is known of a container.
func containerDetailsOf(c *container.Container, size bool) (*containerDetails, error) {
	state, err := c.State()
	if err != nil {
		return nil, err
	}
	spec, err := assembly.Spec(c)
	if err != nil {
		return nil, err
	}
	b, err := bundledir.Open(c.Bundle())
	if err != nil {
		return nil, err
	}
	f, mounts := network.Files{Dir: c.Network()}, mountsOf(c, spec)
	d := &containerDetails{
		ID: c.Config.ID, Created: c.Config.Created, Path: c.Config.Path, Args: append([]string{}, c.Config.Args...), State: stateOf(state),
		Image: c.Config.ImageID, ResolvConfPath: f.ResolvPath(), HostnamePath: f.HostnamePath(), HostsPath: f.HostsPath(),
		LogPath: logPathOf(c), Name: "/" + c.Config.Name, RestartCount: state.RestartCount, Driver: string(b.Form), Platform: "linux",
		ProcessLabel: spec.Process.SelinuxLabel, AppArmorProfile: spec.Process.ApparmorProfile,
		HostConfig: hostDetailsOf(c.Config, spec, mounts), GraphDriver: graphOf(b), Mounts: mounts, Config: configOf(c.Config),
		Bundle: c.Bundle(), CreateCommand: c.Config.Command,
	}
	if size {
		written, err := b.Written()
		if err != nil {
			return nil, err
		}
		d.SizeRw = &written
	}
	d.NetworkSettings, err = settingsOf(c)
	return d, err
}

func stateOf(s container.State) stateDetails {
	return stateDetails{
		Status: s.Status, Running: s.Status == container.Running || s.Status == container.Paused, Paused: s.Status == container.Paused,
		Restarting: s.Status == container.Restarting, OOMKilled: s.OOMKilled, Dead: s.Status == container.Dead,
		Pid: s.Pid, ExitCode: s.ExitCode, Error: s.Error, StartedAt: s.StartedAt, FinishedAt: s.FinishedAt, Health: s.Health,
	}
}

// logPathOf is where the log is, "" for a driver that writes no file.
func logPathOf(c *container.Container) string {
	if c.Config.Log.Driver != "json-file" {
		return ""
	}
	return supervise.LogPath(c)
}

func graphOf(b *bundledir.Bundle) graphDetails {
	g := graphDetails{Name: string(b.Form), Data: map[string]string{"MergedDir": b.Rootfs()}}
	if b.Form == bundledir.Overlay {
		g.Data["UpperDir"] = filepath.Join(b.Dir, "writable", "upper")
	}
	return g
}

// mountsOf are the volumes, and what is mounted of the host, but for what every
// container has.
func mountsOf(c *container.Container, spec *specs.Spec) []mountDetails {
	list := []mountDetails{}
	volumes := map[string]string{}
	for _, v := range c.Config.Volumes {
		volumes[v.Destination] = v.Name
	}
	for _, m := range spec.Mounts {
		d := mountDetails{Type: m.Type, Source: m.Source, Destination: m.Destination, RW: true, Propagation: "rprivate"}
		name, isVolume := volumes[m.Destination]
		switch {
		case isVolume:
			d.Type, d.Name = "volume", name
		case m.Type != "bind" || !assembly.IsGiven(c, m):
			continue
		}
		for _, o := range m.Options {
			if o == "ro" {
				d.RW, d.Mode = false, "ro"
			}
		}
		list = append(list, d)
	}
	return list
}

func configOf(c container.Config) configDetails {
	d := configDetails{
		Hostname: c.Hostname, Domainname: c.Domainname, User: c.User, AttachStdin: c.Interactive, Tty: c.Terminal, OpenStdin: c.Interactive,
		Env: c.Env, Cmd: c.Cmd, Healthcheck: c.Health, Image: c.ImageName, Volumes: map[string]struct{}{}, WorkingDir: c.WorkDir,
		Entrypoint: c.Entrypoint, Labels: map[string]string{}, StopSignal: c.StopSignal, StopTimeout: c.StopTimeout,
	}
	for name, value := range c.Labels {
		d.Labels[name] = value
	}
	for _, v := range c.Volumes {
		d.Volumes[v.Destination] = struct{}{}
	}
	for _, p := range c.Network.Exposed {
		if d.ExposedPorts == nil {
			d.ExposedPorts = map[string]struct{}{}
		}
		d.ExposedPorts[portName(p)] = struct{}{}
	}
	return d
}

// portName is "80/tcp".
func portName(p network.Port) string { return strconv.Itoa(int(p.Container)) + "/" + p.Protocol }

// settingsOf are the container's addresses and ports as they are now.
func settingsOf(c *container.Container) (networkSettings, error) {
	n := networkSettings{Ports: map[string][]hostPort{}, Networks: map[string]endpointSettings{}}
	for _, p := range c.Config.Network.Exposed {
		n.Ports[portName(p)] = nil
	}
	s, err := links.Networks(c.Store().Root())
	if err != nil {
		return n, err
	}
	a, err := s.Attachment(c.Config.ID)
	if errors.Is(err, fs.ErrNotExist) {
		for _, name := range networksOf(c.Config) {
			n.Networks[name] = endpointSettings{}
		}
		return n, nil
	}
	if err != nil {
		return n, err
	}
	for _, p := range a.Ports {
		host := "0.0.0.0"
		if p.HostIP.IsValid() {
			host = p.HostIP.String()
		}
		n.Ports[portName(p)] = append(n.Ports[portName(p)], hostPort{host, strconv.Itoa(int(p.Host))})
	}
	for i, j := range a.Networks {
		e := endpoint(j)
		if i == 0 {
			n.IPAddress, n.Gateway = e.IPAddress, e.Gateway
		}
		n.Networks[j.Network] = e
	}
	return n, nil
}

func endpoint(j network.Joined) endpointSettings {
	e := endpointSettings{Aliases: j.Aliases, MacAddress: j.MAC}
	for _, a := range j.Addresses {
		if a.Addr().Is4() {
			e.IPAddress, e.IPPrefixLen = a.Addr().String(), a.Bits()
		}
	}
	for _, g := range j.Gateways {
		if g.Is4() {
			e.Gateway = g.String()
		}
	}
	return e
}

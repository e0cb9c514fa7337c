package options

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/sys/userns"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/bundle/config"
)

// Shareable is the --ipc of a container whose shared memory others may have.
const Shareable = "shareable"

// namespaces are those that the container does not have of its own.
func (f *Flags) namespaces(w *Wanted) error {
	w.Namespaces = map[specs.LinuxNamespaceType]config.Namespace{}
	w.Joined = map[specs.LinuxNamespaceType]string{}
	for _, n := range []struct {
		flag, value, own string
		kind             specs.LinuxNamespaceType
	}{
		{"--network", f.network, "none", specs.NetworkNamespace},
		{"--pid", f.pid, "private", specs.PIDNamespace},
		{"--ipc", f.ipc, "private", specs.IPCNamespace},
		{"--uts", f.uts, "private", specs.UTSNamespace},
		{"--cgroupns", f.cgroups, "private", specs.CgroupNamespace},
		{"--userns", f.userns, "private", specs.UserNamespace},
	} {
		path, joins := strings.CutPrefix(n.value, "ns:")
		other, shares := strings.CutPrefix(n.value, "container:")
		switch {
		case n.value == "":
		case n.value == n.own:
			if n.kind == specs.CgroupNamespace {
				w.Namespaces[n.kind] = config.Namespace{}
			}
		case n.value == "host":
			w.Namespaces[n.kind] = config.Namespace{Host: true}
		case n.kind == specs.IPCNamespace && (n.value == Shareable || n.value == "none"):
			w.NoShm = n.value == "none"
		case shares && other != "" && (n.kind == specs.PIDNamespace || n.kind == specs.IPCNamespace):
			w.Joined[n.kind] = other
		case joins && filepath.IsAbs(path):
			w.Namespaces[n.kind] = config.Namespace{Path: path}
		default:
			return fmt.Errorf("%s %q: it is %s", n.flag, n.value, choices(n.kind, n.own))
		}
	}
	w.IPC = f.ipc
	if f.uts == "host" && f.hostname != "" {
		return errors.New("conflicting options: hostname and the UTS mode") // Compat(moby): its words
	}
	return nil
}

// choices are what a flag on a namespace takes.
func choices(kind specs.LinuxNamespaceType, own string) string {
	switch kind {
	case specs.IPCNamespace:
		own += ", shareable, none, container:NAME"
	case specs.PIDNamespace:
		own += ", container:NAME"
	}
	return own + ", host, or ns:PATH"
}

// mappings are those of a user namespace. Where only one kind is given, it is
// that of both.
func (f *Flags) mappings(w *Wanted) (err error) {
	if w.UIDMappings, err = mappings("--uidmap", f.uidMaps); err != nil {
		return err
	}
	if w.GIDMappings, err = mappings("--gidmap", f.gidMaps); err != nil {
		return err
	}
	switch {
	case len(w.UIDMappings) == 0:
		w.UIDMappings = w.GIDMappings
	case len(w.GIDMappings) == 0:
		w.GIDMappings = w.UIDMappings
	}
	if len(w.UIDMappings) > 0 && f.userns != "" && f.userns != "private" {
		return fmt.Errorf("--uidmap and --gidmap contradict --userns %s", f.userns)
	}
	if len(w.UIDMappings) == 0 && f.userns == "private" && !userns.RunningInUserNS() { // where a user's containers have one
		return fmt.Errorf("--userns private needs --uidmap or --gidmap")
	}
	return nil
}

func mappings(flag string, list []string) ([]specs.LinuxIDMapping, error) {
	var all []specs.LinuxIDMapping
	for _, text := range list {
		var ids [3]uint32
		parts := strings.Split(text, ":")
		if len(parts) != len(ids) {
			return nil, fmt.Errorf("%s %q: it is CONTAINER:HOST:SIZE", flag, text)
		}
		for i, part := range parts {
			id, err := strconv.ParseUint(part, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("%s %q: %q is no id", flag, text, part)
			}
			ids[i] = uint32(id)
		}
		if ids[2] == 0 {
			return nil, fmt.Errorf("%s %q: its size is 0", flag, text)
		}
		all = append(all, specs.LinuxIDMapping{ContainerID: ids[0], HostID: ids[1], Size: ids[2]})
	}
	return all, nil
}

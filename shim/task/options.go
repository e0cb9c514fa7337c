package task

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/engine"
	"github.com/davit-containers/davit/shim/protobuf"
)

// ParseOptions reads a runtime's options: runc's, or the generic ones that
// containerd gives to a shim of another name, whose content is TOML. nil is none.
func ParseOptions(a *protobuf.Any) (engine.Options, error) {
	o, err := RuncOptions(a)
	if err != nil {
		return engine.Options{}, err
	}
	return engine.Options{
		Binary: o.BinaryName, Root: o.Root, Systemd: o.SystemdCgroup,
		NoPivot: o.NoPivotRoot, NoNewKeyring: o.NoNewKeyring,
		UID: int(o.IOUID), GID: int(o.IOGID), CriuWork: o.CriuWorkPath,
	}, nil
}

// RuncOptions are the options in the form of runc's.
func RuncOptions(a *protobuf.Any) (*api.Options, error) {
	o := &api.Options{}
	if a == nil || len(a.Value) == 0 {
		return o, nil
	}
	switch strings.TrimPrefix(a.TypeURL, "type.googleapis.com/") {
	case api.OptionsName:
		return o, protobuf.Unmarshal(a.Value, o)
	case api.GenericOptionsName, "cri.runtimeoptions.v1.Options":
		return o, genericOptions(a.Value, o)
	}
	return o, fmt.Errorf("options of the type %q are not known", a.TypeURL)
}

// generic are runtimeoptions.v1.Options.
type generic struct {
	typeURL, path string
	body          []byte
}

func (g *generic) Fields(c *protobuf.Coder) {
	c.Text(1, &g.typeURL)
	c.Text(2, &g.path)
	c.Bytes(3, &g.body)
}

// maxOptions is the size of a file of options at most, in bytes.
const maxOptions = 1 << 20

func genericOptions(value []byte, o *api.Options) error {
	g := generic{}
	if err := protobuf.Unmarshal(value, &g); err != nil {
		return err
	}
	if len(g.body) == 0 && g.path != "" {
		data, err := readOptions(g.path)
		if err != nil {
			return fmt.Errorf("reading the runtime's options: %w", err)
		}
		g.body = data
	}
	return parseTOML(string(g.body), o)
}

func readOptions(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxOptions+1))
	if err == nil && len(data) > maxOptions {
		err = fmt.Errorf("%s has more than %d bytes", path, maxOptions)
	}
	return data, err
}

// parseTOML reads "Name = value" lines, as containerd's CRI configuration has
// them for runc. What davit has no use for is left out.
func parseTOML(text string, o *api.Options) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		name, value, found := strings.Cut(line, "=")
		if line == "" || line[0] == '#' || line[0] == '[' || !found {
			continue
		}
		if err := setOption(o, strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("reading the runtime's options: %s: %w", line, err)
		}
	}
	return nil
}

func setOption(o *api.Options, name, value string) (err error) {
	text := func(v *string) {
		*v, err = strconv.Unquote(value)
		if err != nil && len(value) > 1 && value[0] == '\'' {
			*v, err = strings.Trim(value, "'"), nil
		}
	}
	flag := func(v *bool) { *v, err = strconv.ParseBool(value) }
	number := func(v *uint32) {
		n, e := strconv.ParseUint(value, 10, 32)
		*v, err = uint32(n), e
	}
	switch name {
	case "NoPivotRoot":
		flag(&o.NoPivotRoot)
	case "NoNewKeyring":
		flag(&o.NoNewKeyring)
	case "SystemdCgroup":
		flag(&o.SystemdCgroup)
	case "ShimCgroup":
		text(&o.ShimCgroup)
	case "BinaryName":
		text(&o.BinaryName)
	case "Root":
		text(&o.Root)
	case "CriuWorkPath":
		text(&o.CriuWorkPath)
	case "IoUid":
		number(&o.IOUID)
	case "IoGid":
		number(&o.IOGID)
	}
	return err
}

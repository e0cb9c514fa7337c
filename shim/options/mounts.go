package options

import (
	"encoding/csv"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// propagations are how mounts made later are seen on the other side.
var propagations = []string{"private", "rprivate", "shared", "rshared", "slave", "rslave"}

// binds are -v [SOURCE:]TARGET[:OPTIONS].
func (f *Flags) binds(w *Wanted) error {
	for _, text := range f.volumes {
		if err := bind(w, text); err != nil {
			return fmt.Errorf("--volume %q: %w", text, err)
		}
	}
	return nil
}

func bind(w *Wanted, text string) error {
	parts := strings.Split(text, ":")
	if len(parts) == 1 {
		parts = []string{"", parts[0]} // an anonymous volume
	}
	if len(parts) > 3 || parts[1] == "" {
		return fmt.Errorf("it is [SOURCE:]TARGET[:OPTIONS]")
	}
	options := []string{}
	if len(parts) == 3 {
		options = strings.Split(parts[2], ",")
	}
	if !strings.ContainsRune(parts[0], '/') {
		return volume(w, parts[0], parts[1], options)
	}
	source, err := filepath.Abs(parts[0])
	if err != nil {
		return err
	}
	kept, err := bindOptions(options)
	if err != nil {
		return err
	}
	w.Sources = append(w.Sources, source)
	w.Mounts = append(w.Mounts, specs.Mount{Destination: parts[1], Type: "bind", Source: source, Options: kept})
	return nil
}

// bindOptions are those of a bind mount. Labels are never changed: with z, files
// of the host would be relabelled.
// CVE-2021-43816: system files were.
func bindOptions(given []string) ([]string, error) {
	options, propagation := []string{"rbind"}, "rprivate"
	for _, o := range given {
		switch {
		case o == "rw" || o == "ro" || o == "nosuid" || o == "nodev" || o == "noexec" || o == "suid" || o == "dev" || o == "exec":
			options = append(options, o)
		case slices.Contains(propagations, o):
			propagation = o
		case o == "bind" || o == "rbind":
			options[0] = o
		case o == "" || o == "z" || o == "Z" || o == "nocopy" || o == "consistent" || o == "cached" || o == "delegated":
		default:
			return nil, fmt.Errorf("no option %q", o)
		}
	}
	return append(options, propagation), nil
}

// volume is a named volume, or an anonymous one.
func volume(w *Wanted, name, dest string, options []string) error {
	v := Volume{Name: name, Destination: dest}
	for _, o := range options {
		switch o {
		case "ro":
			v.ReadOnly = true
		case "nocopy":
			v.NoCopy = true
		case "", "rw", "z", "Z":
		default:
			return fmt.Errorf("no option %q for a volume", o)
		}
	}
	if !path.IsAbs(dest) {
		return fmt.Errorf("the target needs to be an absolute path")
	}
	w.Volumes = append(w.Volumes, v)
	return nil
}

// mountFlags are --mount, whose fields are separated as in a CSV file.
func (f *Flags) mountFlags(w *Wanted) error {
	for _, text := range f.mounts {
		fields, err := csv.NewReader(strings.NewReader(text)).Read()
		if err == nil {
			err = mountFlag(w, fields)
		}
		if err != nil {
			return fmt.Errorf("--mount %q: %w", text, err)
		}
	}
	return nil
}

// mountFlag takes the fields of one --mount.
func mountFlag(w *Wanted, fields []string) error {
	m := mountFields{kind: "volume"}
	for _, field := range fields {
		key, value, given := strings.Cut(strings.TrimSpace(field), "=")
		if err := m.set(strings.ToLower(key), value, given); err != nil {
			return err
		}
	}
	if m.target == "" {
		return fmt.Errorf("it has no target")
	}
	return m.addTo(w)
}

// mountFields is a --mount.
type mountFields struct {
	kind, source, target string
	options              []string
	readOnly, noCopy     bool
	propagation          string
	nonRecursive         bool
}

// set sets one field.
func (m *mountFields) set(key, value string, given bool) (err error) {
	yes := func() (bool, error) {
		if !given {
			return true, nil
		}
		return strconv.ParseBool(value)
	}
	switch key {
	case "type":
		m.kind = value
	case "source", "src":
		m.source = value
	case "target", "dst", "destination":
		m.target = value
	case "readonly", "ro":
		m.readOnly, err = yes()
	case "volume-nocopy":
		m.noCopy, err = yes()
	case "bind-nonrecursive":
		m.nonRecursive, err = yes()
	case "bind-propagation":
		m.propagation = value
		if !slices.Contains(propagations, value) {
			err = fmt.Errorf("no propagation %q", value)
		}
	case "consistency":
	case "tmpfs-size":
		size, sizeErr := units.RAMInBytes(value)
		m.options, err = append(m.options, "size="+strconv.FormatInt(size, 10)), sizeErr
	case "tmpfs-mode":
		mode, modeErr := strconv.ParseUint(value, 8, 12)
		m.options, err = append(m.options, "mode="+strconv.FormatUint(mode, 8)), modeErr
	default:
		err = fmt.Errorf("no field %q", key)
	}
	return err
}

// addTo adds the mount to what is wanted.
func (m *mountFields) addTo(w *Wanted) error {
	switch m.kind {
	case "bind":
		return m.bind(w)
	case "tmpfs":
		if m.source != "" {
			return fmt.Errorf("a tmpfs has no source")
		}
		w.Mounts = append(w.Mounts, tmpfs(m.target, append(m.options, readOnly(m.readOnly)...)))
		return nil
	case "volume":
		return volume(w, m.source, m.target, append(readOnly(m.readOnly), map[bool]string{true: "nocopy"}[m.noCopy]))
	}
	return fmt.Errorf("no type %q [it is bind, tmpfs or volume]", m.kind)
}

func (m *mountFields) bind(w *Wanted) error {
	if m.source == "" {
		return fmt.Errorf("a bind mount has a source")
	}
	source, err := filepath.Abs(m.source)
	if err != nil {
		return err
	}
	options := append([]string{"rbind", "rprivate"}, readOnly(m.readOnly)...)
	if m.nonRecursive {
		options[0] = "bind"
	}
	if m.propagation != "" {
		options[1] = m.propagation
	}
	w.Mounts = append(w.Mounts, specs.Mount{Destination: m.target, Type: "bind", Source: source, Options: options})
	return nil
}

func readOnly(is bool) []string {
	if is {
		return []string{"ro"}
	}
	return nil
}

// tmpfsFlags are --tmpfs TARGET[:OPTIONS].
func (f *Flags) tmpfsFlags(w *Wanted) error {
	for _, text := range f.tmpfs {
		target, options, _ := strings.Cut(text, ":")
		w.Mounts = append(w.Mounts, tmpfs(target, strings.FieldsFunc(options, func(r rune) bool { return r == ',' })))
	}
	return nil
}

// tmpfs is memory on a directory. Options given come after the defaults, and win.
func tmpfs(target string, options []string) specs.Mount {
	return specs.Mount{Destination: target, Type: "tmpfs", Source: "tmpfs", Options: append([]string{"noexec", "nosuid", "nodev"}, options...)}
}

// shm is the size of /dev/shm.
func (f *Flags) shm(w *Wanted) error {
	if f.shmSize == "" {
		return nil
	}
	size, err := units.RAMInBytes(f.shmSize)
	if err != nil || size <= 0 {
		return fmt.Errorf("--shm-size %q: it is no size, such as 64m or 1g", f.shmSize)
	}
	w.ShmSize = size
	return nil
}

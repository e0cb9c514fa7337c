package options

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/config"
)

// deviceFlags are --device SOURCE[:TARGET][:rwm]; with --privileged, all devices.
func (f *Flags) deviceFlags(w *Wanted) error {
	for _, text := range f.devices {
		source, target, access, err := splitDevice(text)
		if err != nil {
			return fmt.Errorf("--device %q: %w", text, err)
		}
		found, err := devices(source, target, access)
		if err != nil {
			return fmt.Errorf("--device %q: %w", text, err)
		}
		if len(found) == 0 {
			return fmt.Errorf("--device %q: %w", text, errNoDevice)
		}
		w.Devices = append(w.Devices, found...)
	}
	if !f.privileged {
		return nil
	}
	all, err := devices("/dev", "/dev", "")
	w.Devices = append(w.Devices, all...)
	return err
}

// errNoDevice is a path that is not, and has below it, no device.
var errNoDevice = errors.New("not a device node")

// splitDevice takes SOURCE[:TARGET][:rwm] apart.
func splitDevice(text string) (source, target, access string, err error) {
	parts := strings.Split(text, ":")
	isAccess := func(s string) bool { return s != "" && strings.Trim(s, "rwm") == "" }
	source, target = parts[0], parts[0]
	switch {
	case len(parts) == 3:
		target, access = parts[1], parts[2]
	case len(parts) == 2 && isAccess(parts[1]):
		access = parts[1]
	case len(parts) == 2:
		target = parts[1]
	}
	if len(parts) > 3 || access != "" && !isAccess(access) || !filepath.IsAbs(target) {
		err = errors.New("it is SOURCE[:TARGET][:rwm]")
	}
	return source, target, access, err
}

// terminals are directories of /dev that every container has of its own.
var terminals = map[string]bool{"/dev/pts": true, "/dev/shm": true, "/dev/mqueue": true, "/dev/fd": true, "/dev/console": true, "/dev/ptmx": true}

// devices are the device at a path, or all below a directory.
func devices(source, target, access string) ([]config.Device, error) {
	root, err := filepath.EvalSymlinks(source)
	if err != nil {
		return nil, err
	}
	var all []config.Device
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path != root:
			return nil // it went away
		case err != nil:
			return err
		case terminals[path] && path != root && entry.IsDir():
			return filepath.SkipDir
		case terminals[path] && path != root || entry.Type()&os.ModeDevice == 0:
			return nil
		}
		d, err := device(path, filepath.Join(target, strings.TrimPrefix(path, root)), access)
		all = append(all, d)
		return err
	})
	return all, err
}

// device is the device at a path.
func device(path, target, access string) (config.Device, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return config.Device{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	kind := "c"
	if st.Mode&unix.S_IFMT == unix.S_IFBLK {
		kind = "b"
	}
	mode := os.FileMode(st.Mode & 0o7777)
	return config.Device{Access: access, Source: path, LinuxDevice: specs.LinuxDevice{
		Path: target, Type: kind, Major: int64(unix.Major(st.Rdev)), Minor: int64(unix.Minor(st.Rdev)),
		FileMode: &mode, UID: &st.Uid, GID: &st.Gid,
	}}, nil
}

// ruleFlags are --device-cgroup-rule "TYPE MAJOR:MINOR rwm".
func (f *Flags) ruleFlags(w *Wanted) error {
	for _, text := range f.deviceRules {
		m := regexp.MustCompile(`^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$`).FindStringSubmatch(text)
		if m == nil {
			return fmt.Errorf("--device-cgroup-rule %q: it is \"TYPE MAJOR:MINOR rwm\"", text)
		}
		w.DeviceRules = append(w.DeviceRules, specs.LinuxDeviceCgroup{
			Allow: true, Type: m[1], Major: numberOrAny(m[2]), Minor: numberOrAny(m[3]), Access: m[4],
		})
	}
	return nil
}

// numberOrAny is nil for "*".
func numberOrAny(text string) *int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

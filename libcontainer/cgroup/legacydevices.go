package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/moby/sys/userns"
	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	"golang.org/x/sys/unix"
)

// errDevicesDiffer says that the kernel did not take the rules as written.
var errDevicesDiffer = errors.New("the devices controller shows other rules than were written")

// deviceChange is one line for devices.allow or devices.deny.
type deviceChange struct {
	allow bool
	line  string
}

// limitLegacyDevices brings a v1 devices cgroup to the rules of r by the
// fewest changes, and reads them back.
func limitLegacyDevices(path string, r *cgroups.Resources) error {
	if r.SkipDevices || userns.RunningInUserNS() {
		return nil
	}
	target, err := newDevicePolicy(r.Devices)
	if err != nil {
		return err
	}
	current, err := readDevicePolicy(path)
	if err != nil {
		return err
	}
	if err := writeDeviceChanges(path, current.changes(target)); err != nil {
		return err
	}
	after, err := readDevicePolicy(path)
	if err != nil {
		return err
	}
	// What a cgroup denies that allows by default is not shown.
	if after.allow != target.allow || !target.allow && !maps.Equal(after.exceptions, target.exceptions) {
		return errDevicesDiffer
	}
	return nil
}

// writeDeviceChanges writes each change, with one descriptor for each file.
func writeDeviceChanges(path string, changes []deviceChange) error {
	files := map[bool]int{}
	defer func() {
		for _, fd := range files {
			_ = unix.Close(fd)
		}
	}()
	for _, c := range changes {
		name := path + "/devices.deny"
		if c.allow {
			name = path + "/devices.allow"
		}
		if _, open := files[c.allow]; !open {
			fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return fmt.Errorf("opening %s: %w", name, err)
			}
			files[c.allow] = fd
		}
		if _, err := unix.Write(files[c.allow], []byte(c.line)); err != nil {
			return fmt.Errorf("writing %q to %s: %w", c.line, name, err)
		}
	}
	return nil
}

// changes returns what leads from p to target. A cgroup that allows by default
// does not show what it denies, so that one is started anew.
func (p *devicePolicy) changes(target *devicePolicy) []deviceChange {
	var list []deviceChange
	old := p
	if p.allow || target.allow {
		list = append(list, deviceChange{target.allow, "a *:* rwm"})
		old = &devicePolicy{}
	}
	for _, e := range old.listed() {
		if e.access &^= target.exceptions[e.match]; e.access != 0 {
			list = append(list, deviceChange{target.allow, e.String()})
		}
	}
	for _, e := range target.listed() {
		if e.access &^= old.exceptions[e.match]; e.access != 0 {
			list = append(list, deviceChange{!target.allow, e.String()})
		}
	}
	return list
}

// readDevicePolicy reads devices.list of the v1 cgroup at path.
func readDevicePolicy(path string) (*devicePolicy, error) {
	text, err := readFile(path + "/devices.list")
	if err != nil {
		return nil, err
	}
	return parseDevicePolicy(text)
}

// parseDevicePolicy parses devices.list: what is allowed, or "a *:* rwm".
func parseDevicePolicy(text string) (*devicePolicy, error) {
	p := &devicePolicy{exceptions: map[match]access{}}
	for line := range strings.Lines(text) {
		e, err := parseException(strings.TrimSpace(line))
		if err != nil {
			return nil, fmt.Errorf("reading devices.list: %w", err)
		}
		if e.kind == devices.WildcardDevice {
			return &devicePolicy{allow: true, exceptions: map[match]access{}}, nil
		}
		p.except(e)
	}
	return p, nil
}

// parseException parses one line, such as "c 136:* rwm".
func parseException(line string) (e exception, err error) {
	kind, rest, _ := strings.Cut(line, " ")
	numbers, letters, ok := strings.Cut(rest, " ")
	major, minor, ok2 := strings.Cut(numbers, ":")
	if !ok || !ok2 || kind != "a" && kind != "b" && kind != "c" {
		return e, fmt.Errorf("malformed line %q", line)
	}
	e.kind = devices.Type(kind[0])
	if e.major, err = parseNumber(major); err != nil {
		return e, fmt.Errorf("malformed line %q", line)
	}
	if e.minor, err = parseNumber(minor); err != nil {
		return e, fmt.Errorf("malformed line %q", line)
	}
	e.access, err = parseAccess(letters)
	return e, err
}

// parseNumber parses a device number, or "*" for any.
func parseNumber(s string) (int64, error) {
	if s == "*" {
		return devices.Wildcard, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return int64(n), err
}

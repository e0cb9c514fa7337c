package cgroup

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	devices "github.com/opencontainers/cgroups/devices/config"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// access is a set of what may be done with a device, as eBPF's device context
// counts it (bpf(2), BPF_DEVCG_ACC_*).
type access uint8

const (
	accessMknod access = 1 << iota
	accessRead
	accessWrite
	accessAll = accessMknod | accessRead | accessWrite
)

// defaultDevice is a device that every container may use.
type defaultDevice struct {
	path         string // "" for those that are not created in the container
	kind         devices.Type
	major, minor int64
	permissions  devices.Permissions
}

// defaultDevices lists what is allowed after the configuration's own rules:
// making any node, the devices that the specification creates, terminals, and
// /dev/net/tun. Compat(runc): the same list; engines count on the last three.
//
// Spec: config-linux.md#default-devices
func defaultDevices() []defaultDevice {
	const c, b, any = devices.CharDevice, devices.BlockDevice, devices.Wildcard
	return []defaultDevice{
		{"", c, any, any, "m"},
		{"", b, any, any, "m"},
		{"/dev/null", c, 1, 3, "rwm"},
		{"/dev/random", c, 1, 8, "rwm"},
		{"/dev/full", c, 1, 7, "rwm"},
		{"/dev/tty", c, 5, 0, "rwm"},
		{"/dev/zero", c, 1, 5, "rwm"},
		{"/dev/urandom", c, 1, 9, "rwm"},
		{"", c, 136, any, "rwm"}, // /dev/pts/*
		{"", c, 5, 2, "rwm"},     // /dev/ptmx
		{"", c, 10, 200, "rwm"},  // /dev/net/tun
	}
}

// deviceRules returns the rules of a configuration and the default ones after
// them. A default device that linux.devices redefines is left to the rules.
//
// Spec: config-linux.md#allowed-device-list
func deviceRules(spec *specs.Spec) ([]*devices.Rule, error) {
	var rules []*devices.Rule
	own := map[string]bool{}
	if spec != nil && spec.Linux != nil {
		for _, d := range spec.Linux.Devices {
			own[d.Path] = true
		}
		if spec.Linux.Resources != nil {
			for i, d := range spec.Linux.Resources.Devices {
				rule, err := deviceRule(d)
				if err != nil {
					return nil, fmt.Errorf("linux.resources.devices[%d]: %w", i, err)
				}
				rules = append(rules, rule)
			}
		}
	}
	for _, d := range defaultDevices() {
		if d.path == "" || !own[d.path] {
			rules = append(rules, &devices.Rule{Type: d.kind, Major: d.major, Minor: d.minor, Permissions: d.permissions, Allow: true})
		}
	}
	return rules, nil
}

// deviceRule converts one rule of the configuration.
func deviceRule(d specs.LinuxDeviceCgroup) (*devices.Rule, error) {
	rule := &devices.Rule{
		Type: devices.WildcardDevice, Major: devices.Wildcard, Minor: devices.Wildcard,
		Allow: d.Allow,
	}
	switch d.Type {
	case "", "a":
	case "b", "c":
		rule.Type = devices.Type(d.Type[0])
	default:
		return nil, fmt.Errorf("the type %q is none of a, b and c", d.Type)
	}
	if d.Access == "" {
		return nil, errors.New("the access is empty")
	}
	permissions := strings.Map(knownAccess, d.Access)
	if permissions == "" {
		return nil, fmt.Errorf("the access %q has none of the letters r, w and m", d.Access)
	}
	rule.Permissions = devices.Permissions(permissions)
	if d.Major != nil {
		rule.Major = *d.Major
	}
	if d.Minor != nil {
		rule.Minor = *d.Minor
	}
	return rule, nil
}

// knownAccess drops the letters that mean nothing.
// Compat(runc): it ignores them.
func knownAccess(letter rune) rune {
	if strings.ContainsRune("rwm", letter) {
		return letter
	}
	return -1
}

// parseAccess reads a set of the letters r, w and m.
func parseAccess(s string) (access, error) {
	var a access
	for _, c := range s {
		switch c {
		case 'r':
			a |= accessRead
		case 'w':
			a |= accessWrite
		case 'm':
			a |= accessMknod
		default:
			return 0, fmt.Errorf("the access %q has letters other than r, w and m", s)
		}
	}
	return a, nil
}

// String returns a as v1 writes it.
func (a access) String() string {
	b := make([]byte, 0, 3)
	if a&accessRead != 0 {
		b = append(b, 'r')
	}
	if a&accessWrite != 0 {
		b = append(b, 'w')
	}
	if a&accessMknod != 0 {
		b = append(b, 'm')
	}
	return string(b)
}

// match says which devices an exception is for; -1 stands for any number.
type match struct {
	kind         devices.Type
	major, minor int64
}

// exception is a match and what it allows or denies.
type exception struct {
	match
	access access
}

// devicePolicy is what a list of rules comes to: a default, and exceptions
// from it. That is how the v1 controller keeps them; v2 gets the same meaning.
type devicePolicy struct {
	allow      bool // the default
	exceptions map[match]access
	order      []match // of the exceptions; one may be named that was taken back
}

// newDevicePolicy applies the rules one after the other; a rule for all
// devices starts anew. Nothing is allowed at first.
func newDevicePolicy(rules []*devices.Rule) (*devicePolicy, error) {
	p := &devicePolicy{exceptions: make(map[match]access, len(rules))}
	for _, rule := range rules {
		if rule.Type == devices.WildcardDevice {
			p.allow, p.order = rule.Allow, nil
			clear(p.exceptions)
			continue
		}
		a, err := parseAccess(string(rule.Permissions))
		if err != nil {
			return nil, err
		}
		e := exception{match{rule.Type, max(rule.Major, -1), max(rule.Minor, -1)}, a}
		if err := p.apply(e, rule.Allow); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// apply adds an exception, or takes it back where it says what the default
// says. It cannot be taken back from a wider one: the v1 controller would
// silently not do it, and the container would keep the device.
func (p *devicePolicy) apply(e exception, allow bool) error {
	if allow != p.allow {
		p.except(e)
		return nil
	}
	const wild = devices.Wildcard
	for _, wider := range []match{{e.kind, wild, e.minor}, {e.kind, e.major, wild}, {e.kind, wild, wild}} {
		if wider != e.match && p.exceptions[wider]&e.access != 0 {
			return fmt.Errorf("linux.resources.devices: the rule for %s cannot be taken out of the one for %s before it",
				e, exception{wider, p.exceptions[wider]})
		}
	}
	if rest := p.exceptions[e.match] &^ e.access; rest != 0 {
		p.exceptions[e.match] = rest
	} else {
		delete(p.exceptions, e.match)
	}
	return nil
}

// except adds an exception.
func (p *devicePolicy) except(e exception) {
	if _, known := p.exceptions[e.match]; !known {
		p.order = append(p.order, e.match)
	}
	p.exceptions[e.match] |= e.access
}

// listed returns the exceptions in the order of their rules.
//
// Spec: config-linux.md#allowed-device-list: entries are applied in the listed order
func (p *devicePolicy) listed() []exception {
	list := make([]exception, 0, len(p.exceptions))
	seen := make(map[match]bool, len(p.exceptions))
	for _, m := range p.order {
		if a, ok := p.exceptions[m]; ok && !seen[m] {
			seen[m] = true
			list = append(list, exception{m, a})
		}
	}
	return list
}

// String returns e as devices.allow of v1 takes it.
func (e exception) String() string {
	return string(rune(e.kind)) + " " + number(e.major) + ":" + number(e.minor) + " " + e.access.String()
}

// number returns a device number, or "*" for any.
func number(n int64) string {
	if n < 0 {
		return "*"
	}
	return strconv.FormatInt(n, 10)
}

// allowsAll reports whether p denies nothing.
func (p *devicePolicy) allowsAll() bool { return p.allow && len(p.exceptions) == 0 }

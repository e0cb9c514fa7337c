package spec

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Warnings lists, one line each, what a valid configuration asks for that
// will be ignored, is deprecated, or is likely to be a mistake.
//
// Spec: runtime.md#warnings
func Warnings(s *specs.Spec) []string {
	var list []string
	warn := func(field, text string) {
		list = append(list, "config.json: "+field+": "+text)
	}
	for _, look := range [...]func(*specs.Spec, func(field, text string)){
		warnPlatforms, warnProcess, warnCapabilities, warnMounts, warnNamespaces, warnResources, warnLinux,
	} {
		look(s, warn)
	}
	return list
}

func warnPlatforms(s *specs.Spec, warn func(field, text string)) {
	for _, platform := range [...]struct {
		name  string
		given bool
	}{
		{"solaris", s.Solaris != nil}, {"windows", s.Windows != nil}, {"vm", s.VM != nil}, {"zos", s.ZOS != nil}, {"freebsd", s.FreeBSD != nil},
	} {
		if platform.given {
			warn(platform.name, "ignored: not for Linux containers")
		}
	}
}

func warnProcess(s *specs.Spec, warn func(field, text string)) {
	p := s.Process
	if p == nil {
		return
	}
	if p.User.Umask != nil && *p.User.Umask > 0o777 {
		warn("process.user.umask", "only the lower nine bits count")
	}
	if size := p.ConsoleSize; p.Terminal && size != nil && max(size.Height, size.Width) > 65535 {
		warn("process.consoleSize", "larger than a terminal can be: only the lower 16 bits count")
	}
}

func warnMounts(s *specs.Spec, warn func(field, text string)) {
	for i := range s.Mounts {
		m := &s.Mounts[i]
		if !strings.HasPrefix(m.Destination, "/") {
			warn(at("mounts", i)+".destination", shown(m.Destination)+` is not absolute, which is deprecated: it is taken as relative to "/"`)
		}
		if m.Source == "" && IsBind(m) {
			warn(at("mounts", i)+".source", "not given: the bundle itself is mounted")
		}
		warnBindOptions(m, at("mounts", i), warn)
	}
}

func warnBindOptions(m *specs.Mount, field string, warn func(field, text string)) {
	for i, option := range m.Options {
		if IsBind(m) && !mountOption(option) {
			warn(field+"."+at("options", i), shown(option)+" is ignored: a bind mount has the options of the file system that it shows")
		}
	}
}

func warnNamespaces(s *specs.Spec, warn func(field, text string)) {
	path, _ := Namespace(s, specs.UserNamespace)
	if path != "" && len(s.Linux.UIDMappings)+len(s.Linux.GIDMappings) > 0 {
		warn("linux.uidMappings", "given beside the user namespace to join: only compared with its mappings")
	}
}

func warnResources(s *specs.Spec, warn func(field, text string)) {
	r := linux(s).Resources
	if r == nil {
		return
	}
	for i, rule := range r.Devices {
		if strings.Trim(rule.Access, "rwm") != "" {
			warn(at("linux.resources.devices", i)+".access", shown(rule.Access)+` has more than "r", "w" and "m": the rest is ignored`)
		}
	}
	if r.Memory != nil {
		warnMemory(r.Memory, warn)
	}
}

func warnMemory(m *specs.LinuxMemory, warn func(field, text string)) {
	if value(m.Swappiness) > 100 {
		warn("linux.resources.memory.swappiness", "not between 0 and 100")
	}
}

func warnLinux(s *specs.Spec, warn func(field, text string)) {
	l := linux(s)
	if l.Personality != nil && len(l.Personality.Flags) > 0 {
		warn("linux.personality.flags", "ignored: no flag is defined")
	}
	if l.IntelRdt == nil {
		return
	}
	if l3 := l.IntelRdt.L3CacheSchema; l3 != "" && (!strings.HasPrefix(l3, "L3:") || strings.Contains(l3, "\n")) {
		warn("linux.intelRdt.l3CacheSchema", `should be one line that starts with "L3:"`)
	}
}

package config

import (
	"github.com/davit-containers/davit/bundle/config/seccomp"
)

// security is what the kernel's security modules and filters are told.
func (m *maker) security() error {
	m.gen.SetProcessNoNewPrivileges(m.o.NoNewPrivileges)
	m.gen.SetProcessApparmorProfile(m.o.ApparmorProfile)
	m.gen.SetProcessSelinuxLabel(m.o.SelinuxLabel)
	bounding := m.gen.Config.Process.Capabilities.Bounding
	switch {
	case m.o.Seccomp.Profile != nil:
		profile, err := seccomp.Load(m.o.Seccomp.Profile, seccomp.Facts{Arch: m.facts.Arch, Kernel: m.facts.Kernel, Bounding: bounding})
		m.gen.Config.Linux.Seccomp = profile
		return err
	case !m.o.Seccomp.Unconfined && !m.o.Privileged:
		m.gen.Config.Linux.Seccomp = seccomp.Default(m.facts.Arch, bounding)
	}
	return nil
}

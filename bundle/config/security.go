package config

import (
	"github.com/davit-containers/davit/bundle/config/seccomp"
)

// security is what the kernel's security modules and filters are told.
func (m *maker) security() error {
	m.gen.SetProcessNoNewPrivileges(m.o.NoNewPrivileges)
	m.gen.SetProcessApparmorProfile(m.o.ApparmorProfile)
	m.gen.SetProcessSelinuxLabel(m.o.SelinuxLabel)
	switch {
	case m.o.Seccomp.Profile != nil:
		m.gen.Config.Linux.Seccomp = m.o.Seccomp.Profile
	case !m.o.Seccomp.Unconfined && !m.o.Privileged:
		m.gen.Config.Linux.Seccomp = seccomp.Default(m.facts.Arch, m.gen.Config.Process.Capabilities.Bounding)
	}
	return nil
}

package config

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// defaultPath is $PATH where neither image nor options set one.
// Compat(moby): its text.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// args is the program and its arguments.
func (m *maker) args() error {
	entrypoint, command := m.image.Config.Entrypoint, m.image.Config.Cmd
	if m.o.Entrypoint != nil {
		entrypoint, command = m.o.Entrypoint, nil
	}
	if len(m.o.Command) > 0 {
		command = m.o.Command
	}
	if len(entrypoint) == 1 && entrypoint[0] == "" {
		entrypoint = nil
	}
	args := slices.Concat(entrypoint, command)
	if len(args) == 0 {
		return ErrNoCommand
	}
	for _, arg := range args {
		if strings.ContainsRune(arg, 0) {
			return fmt.Errorf("argument %q: it has a NUL byte", arg)
		}
	}
	m.gen.SetProcessArgs(args)
	m.gen.SetProcessTerminal(m.o.Terminal)
	return nil
}

// environment is $PATH, the host's name, the terminal's kind, then what the image
// sets, then what the options do.
func (m *maker) environment() error {
	env := variables{{"PATH", defaultPath}}
	if m.o.Hostname != "" {
		env.set("HOSTNAME", m.o.Hostname)
	}
	if m.o.Terminal {
		env.set("TERM", "xterm")
	}
	for _, list := range [][]string{m.image.Config.Env, m.o.Env} {
		for _, entry := range list {
			if err := env.apply(entry); err != nil {
				return err
			}
		}
	}
	for _, v := range env {
		m.gen.Config.Process.Env = append(m.gen.Config.Process.Env, v.name+"="+v.value)
	}
	return nil
}

// variable is one of the environment.
type variable struct{ name, value string }

// variables are an environment, in the order in which they were first set.
type variables []variable

func (v *variables) set(name, value string) {
	if i := slices.IndexFunc(*v, func(x variable) bool { return x.name == name }); i >= 0 {
		(*v)[i].value = value
		return
	}
	*v = append(*v, variable{name, value})
}

// apply sets what "NAME=VALUE" says, and removes "NAME".
func (v *variables) apply(entry string) error {
	name, value, ok := strings.Cut(entry, "=")
	switch {
	case strings.ContainsRune(entry, 0):
		return fmt.Errorf("environment variable %q: it has a NUL byte", entry)
	case name == "":
		return fmt.Errorf("environment variable %q: it has no name", entry)
	case ok:
		v.set(name, value)
	default:
		*v = slices.DeleteFunc(*v, func(x variable) bool { return x.name == name })
	}
	return nil
}

// cwd is the working directory. The runtime makes it, below the root.
func (m *maker) cwd() error {
	dir := m.o.Cwd
	if dir != "" && !path.IsAbs(dir) {
		return fmt.Errorf("working directory %q: it needs to be an absolute path", dir)
	}
	if dir == "" {
		dir = path.Join("/", m.image.Config.WorkingDir)
	}
	if strings.ContainsRune(dir, 0) {
		return fmt.Errorf("working directory %q: it has a NUL byte", dir)
	}
	m.gen.SetProcessCwd(path.Clean(dir))
	return nil
}

// user is who the process runs as.
func (m *maker) user() error {
	m.gen.SetProcessUID(m.id.UID)
	m.gen.SetProcessGID(m.id.GID)
	if m.o.Rootless && m.groups() == 1 {
		return nil // nobody may set groups there: user_namespaces(7)
	}
	for _, gid := range m.id.Groups {
		m.gen.AddProcessAdditionalGid(gid)
	}
	return nil
}

// groups counts those that the user namespace has.
func (m *maker) groups() (n uint64) {
	for _, r := range m.o.GIDMappings {
		n += uint64(r.Size)
	}
	return n
}

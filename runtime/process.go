package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/libcontainer/spec"
)

// processFlags have what davit exec says of the process itself. What is given
// wins over the file of --process, which wins over the container's own process.
type processFlags struct {
	changed func(flag string) bool

	file         string
	cwd          string
	env          []string
	tty          bool
	user         string
	groups       []string
	label        string
	apparmor     string
	noNewPrivs   bool
	capabilities []string
}

// register declares the flags.
func (f *processFlags) register(fs *pflag.FlagSet) {
	fs.StringVarP(&f.file, "process", "p", "", "read the process from `FILE`, an object as \"process\" in config.json")
	fs.StringVar(&f.cwd, "cwd", "", "the working directory `DIR` in the container")
	fs.StringArrayVarP(&f.env, "env", "e", nil, "set the environment variable `NAME=VALUE`; may be repeated")
	fs.BoolVarP(&f.tty, "tty", "t", false, "allocate a terminal")
	fs.StringVarP(&f.user, "user", "u", "", "the `UID[:GID]` of the process")
	fs.StringArrayVarP(&f.groups, "additional-gids", "g", nil, "add the supplementary group `GID`; may be repeated")
	fs.StringVar(&f.label, "process-label", "", "the SELinux `LABEL`")
	fs.StringVar(&f.apparmor, "apparmor", "", "the AppArmor `PROFILE`")
	fs.BoolVar(&f.noNewPrivs, "no-new-privs", false, "let the process gain no privileges by executing programs")
	fs.StringArrayVarP(&f.capabilities, "cap", "c", nil, "add the `CAPABILITY` to the bounding, effective and permitted sets; may be repeated")
}

// process is the one to execute.
func (f *processFlags) process(c *libcontainer.Container, args []string) (*specs.Process, error) {
	p, err := f.base(c)
	if err != nil {
		return nil, err
	}
	if len(args) > 0 {
		p.Args = args
	}
	if f.file == "" && len(args) == 0 {
		return nil, errors.New("exec args cannot be empty")
	}
	p.Env = slices.Concat(p.Env, f.env)
	override(&p.Cwd, f.cwd)
	override(&p.SelinuxLabel, f.label)
	override(&p.ApparmorProfile, f.apparmor)
	if f.changed("tty") {
		p.Terminal = f.tty
	}
	if f.changed("no-new-privs") {
		p.NoNewPrivileges = f.noNewPrivs
	}
	f.addCapabilities(p)
	return p, f.setUser(&p.User)
}

// base is the process before the flags: only a file gives it a terminal.
func (f *processFlags) base(c *libcontainer.Container) (*specs.Process, error) {
	if f.file != "" {
		return readProcess(f.file)
	}
	p, err := c.Process()
	if err != nil {
		return nil, err
	}
	p.Terminal = false
	p.ConsoleSize = nil
	return p, nil
}

func override(value *string, given string) {
	if given != "" {
		*value = given
	}
}

// readProcess reads a process object from a file, which may be a pipe.
func readProcess(file string) (*specs.Process, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the process: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, spec.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the process: %w", err)
	}
	return spec.DecodeProcess(data)
}

// addCapabilities adds to the sets that are the process's from the beginning.
// To what its programs inherit nothing is added; ambient capabilities need
// that, so they come where there is an inheritable set.
// Compat(runc): the rule for ambient ones.
// CVE-2022-29162: inheritable capabilities that nobody asked for.
func (f *processFlags) addCapabilities(p *specs.Process) {
	if len(f.capabilities) == 0 {
		return
	}
	var sets specs.LinuxCapabilities
	if p.Capabilities != nil {
		sets = *p.Capabilities
	}
	sets.Bounding = slices.Concat(sets.Bounding, f.capabilities)
	sets.Effective = slices.Concat(sets.Effective, f.capabilities)
	sets.Permitted = slices.Concat(sets.Permitted, f.capabilities)
	if sets.Inheritable != nil {
		sets.Ambient = slices.Concat(sets.Ambient, f.capabilities)
	}
	p.Capabilities = &sets
}

// setUser sets what is given of the user.
func (f *processFlags) setUser(u *specs.User) error {
	if f.user != "" {
		if err := parseUser(f.user, u); err != nil {
			return err
		}
	}
	u.AdditionalGids = slices.Clone(u.AdditionalGids)
	for _, text := range f.groups {
		gid, err := parseID(text)
		if err != nil {
			return fmt.Errorf("bad additional gid: %w", err)
		}
		u.AdditionalGids = append(u.AdditionalGids, gid)
	}
	return nil
}

// parseUser reads UID[:GID]; without a gid the group stays.
func parseUser(text string, u *specs.User) error {
	uid, gid, both := strings.Cut(text, ":")
	var err error
	if u.UID, err = parseID(uid); err != nil {
		return fmt.Errorf("bad uid: %w", err)
	}
	if both {
		if u.GID, err = parseID(gid); err != nil {
			return fmt.Errorf("bad gid: %w", err)
		}
	}
	return nil
}

// parseID reads a decimal number of 32 bits: no sign, no space, no name.
// CVE-2026-30892: a user that is no number must not become user 0.
func parseID(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || strings.Trim(text, "0123456789") != "" {
		return 0, fmt.Errorf("%q is not a number from 0 to 4294967295", text)
	}
	return uint32(n), nil
}

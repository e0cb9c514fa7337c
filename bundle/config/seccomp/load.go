package seccomp

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Facts is what the rules of a profile may depend on.
type Facts struct {
	// Arch is the architecture in Go's name.
	Arch string
	// Kernel is the kernel's version: 5 and 14.
	Kernel [2]int
	// Bounding are the capabilities that the container can have.
	Bounding []string
}

// file is a profile as people write them: the specification's, or Docker's, whose
// rules may have conditions.
type file struct {
	specs.LinuxSeccomp
	ArchMap []struct {
		Arch      specs.Arch   `json:"architecture"`
		SubArches []specs.Arch `json:"subArchitectures"`
	} `json:"archMap"`
	Syscalls []rule `json:"syscalls"`
}

// rule is a rule with conditions.
type rule struct {
	specs.LinuxSyscall
	Name     string     `json:"name"`
	Includes *condition `json:"includes"`
	Excludes *condition `json:"excludes"`
}

// condition is on what a rule depends.
type condition struct {
	Caps      []string `json:"caps"`
	Arches    []string `json:"arches"`
	MinKernel string   `json:"minKernel"`
}

// Load reads a profile in JSON, the specification's or Docker's, and leaves out
// the rules whose conditions do not hold.
// Source: https://docs.docker.com/engine/security/seccomp/
func Load(data []byte, f Facts) (*specs.LinuxSeccomp, error) {
	var p file
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("reading the seccomp profile: %w", err)
	}
	if p.DefaultAction == "" {
		return nil, errors.New("reading the seccomp profile: it has no defaultAction")
	}
	if len(p.Architectures) > 0 && len(p.ArchMap) > 0 {
		return nil, errors.New("reading the seccomp profile: it has both architectures and archMap")
	}
	profile := p.LinuxSeccomp
	profile.Architectures = p.arches(f)
	for _, r := range p.Syscalls {
		holds, err := r.holds(f)
		if err != nil {
			return nil, fmt.Errorf("reading the seccomp profile: %w", err)
		}
		if holds {
			profile.Syscalls = append(profile.Syscalls, r.LinuxSyscall)
		}
	}
	return &profile, nil
}

// arches are the architectures for this machine.
func (p *file) arches(f Facts) []specs.Arch {
	native := machines[f.Arch].arches
	for _, a := range p.ArchMap {
		if len(native) > 0 && a.Arch == native[0] {
			return append([]specs.Arch{a.Arch}, a.SubArches...)
		}
	}
	return p.Architectures
}

// holds tells whether a rule counts here.
func (r *rule) holds(f Facts) (bool, error) {
	if r.Name != "" {
		if len(r.Names) > 0 {
			return false, fmt.Errorf("a rule has both name, %s, and names", r.Name)
		}
		r.Names = []string{r.Name}
	}
	included, err := r.Includes.all(f)
	if err != nil || !included {
		return false, err
	}
	excluded, err := r.Excludes.any(f)
	return !excluded, err
}

// all tells whether all parts of a condition hold; none always do.
func (c *condition) all(f Facts) (bool, error) {
	if c == nil {
		return true, nil
	}
	newer, err := c.kernel(f)
	if err != nil {
		return false, err
	}
	for _, name := range c.Caps {
		if !slices.Contains(f.Bounding, name) {
			return false, nil
		}
	}
	return (len(c.Arches) == 0 || slices.Contains(c.Arches, f.Arch)) && (c.MinKernel == "" || newer), nil
}

// any tells whether a part of a condition holds; none never do.
func (c *condition) any(f Facts) (bool, error) {
	if c == nil {
		return false, nil
	}
	newer, err := c.kernel(f)
	has := slices.ContainsFunc(c.Caps, func(name string) bool { return slices.Contains(f.Bounding, name) })
	return has || slices.Contains(c.Arches, f.Arch) || c.MinKernel != "" && newer, err
}

// kernel tells whether the kernel is at least the one that a condition names.
func (c *condition) kernel(f Facts) (bool, error) {
	if c.MinKernel == "" {
		return false, nil
	}
	var major, minor int
	if _, err := fmt.Sscanf(c.MinKernel, "%d.%d", &major, &minor); err != nil {
		return false, fmt.Errorf("minKernel %q is not two numbers", c.MinKernel)
	}
	return f.Kernel[0] > major || f.Kernel[0] == major && f.Kernel[1] >= minor, nil
}

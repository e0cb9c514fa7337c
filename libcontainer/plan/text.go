package plan

import (
	"encoding/json"
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// String is the plan as `davit plan` prints it: a comment for each thing that
// is done from outside, then a line for each step, with what it is for.
func (p *Plan) String() string {
	var b strings.Builder
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "# warning: %s\n", w)
	}
	fmt.Fprintf(&b, "# cgroup: %v\n# clone: %#x\n", p.Join, p.Clone)
	for i, f := range p.Files {
		fmt.Fprintf(&b, "# file:%d: %v\n", i, f)
	}
	writeMappings(&b, "uid", p.UIDMappings)
	writeMappings(&b, "gid", p.GIDMappings)
	for i := 0; i < len(p.Trees); i++ {
		name := fmt.Sprintf("tree %d", i)
		fmt.Fprintf(&b, "# %s: %+v\n", name, p.Trees[name])
	}
	doing := ""
	for _, s := range p.Steps {
		if s.Doing != doing {
			doing = s.Doing
			fmt.Fprintf(&b, "# %s\n", doing)
		}
		fmt.Fprintln(&b, s)
	}
	return b.String()
}

func writeMappings(b *strings.Builder, kind string, mappings []specs.LinuxIDMapping) {
	for _, m := range mappings {
		fmt.Fprintf(b, "# %s map: %d %d %d\n", kind, m.ContainerID, m.HostID, m.Size)
	}
}

// String is the file in words.
func (f File) String() string {
	text := f.Kind.String()
	if f.Path != "" {
		text += " " + f.Path
	}
	for _, m := range f.UIDMap {
		text += fmt.Sprintf(" uid:%d:%d:%d", m.ContainerID, m.HostID, m.Size)
	}
	for _, m := range f.GIDMap {
		text += fmt.Sprintf(" gid:%d:%d:%d", m.ContainerID, m.HostID, m.Size)
	}
	return text
}

// MarshalJSON gives what String says as an object.
func (p *Plan) MarshalJSON() ([]byte, error) {
	files := make([]string, len(p.Files))
	for i, f := range p.Files {
		files[i] = f.String()
	}
	return json.Marshal(struct {
		Warnings    []string               `json:"warnings,omitempty"`
		Cgroup      string                 `json:"cgroup"`
		Clone       uintptr                `json:"clone"`
		Files       []string               `json:"files"`
		UIDMappings []specs.LinuxIDMapping `json:"uidMappings,omitempty"`
		GIDMappings []specs.LinuxIDMapping `json:"gidMappings,omitempty"`
		Trees       map[string]Tree        `json:"trees,omitempty"`
		Steps       []Step                 `json:"steps"`
	}{p.Warnings, p.Join.String(), p.Clone, files, p.UIDMappings, p.GIDMappings, p.Trees, p.Steps})
}

package plan

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

var testRestorer = Restorer{
	Dir: "/run/davit/c1", Mountpoint: "root", Program: "/usr/sbin/criu",
	Args: []string{"criu", "swrk", "3"}, Env: []string{"PATH=/usr/sbin"}, CgroupNamespace: true,
}

// The plan, and the mounts that the restorer is told of.
func TestGoldenRestore(t *testing.T) {
	files, _ := filepath.Glob("testdata/restore/*.json")
	if len(files) < 3 {
		t.Fatalf("found %d scenarios", len(files))
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".json")
		t.Run(filepath.Base(name), func(t *testing.T) {
			s := load(t, file)
			p, err := CompileRestore(&s.Config, s.Facts, s.Options, testRestorer)
			if err != nil {
				compare(t, name+".plan", "error: "+err.Error()+"\n")
				return
			}
			text := p.String()
			for _, m := range ExternalMounts(&s.Config, s.Facts, s.Options) {
				text += fmt.Sprintf("external %s from %s\n", m.Dest, m.Source)
			}
			compare(t, name+".plan", text)
		})
	}
}

func TestCompileRestoreIsPure(t *testing.T) {
	s := load(t, "testdata/restore/mounts.json")
	before, _ := json.Marshal(s.Config)
	if _, err := CompileRestore(&s.Config, s.Facts, s.Options, testRestorer); err != nil {
		t.Fatal(err)
	}
	ExternalMounts(&s.Config, s.Facts, s.Options)
	if after, _ := json.Marshal(s.Config); string(before) != string(after) {
		t.Error("the configuration was changed")
	}
}

func TestCheckRestorable(t *testing.T) {
	for _, c := range []struct {
		name  string
		mount specs.Mount
		fine  bool
	}{
		{"bind", specs.Mount{Destination: "/a", Source: "/b", Options: []string{"rbind", "ro"}}, true},
		{"idmap", specs.Mount{Destination: "/a", Source: "/b", Options: []string{"bind", "idmap"}}, false},
		{"crun's idmap", specs.Mount{Destination: "/a", Source: "/b", Options: []string{"bind", "idmap=uids=0-1-10"}}, false},
		{"mappings", specs.Mount{Destination: "/a", Source: "/b", UIDMappings: []specs.LinuxIDMapping{{Size: 1}}}, false},
		{"src-nofollow", specs.Mount{Destination: "/a", Source: "/b", Options: []string{"bind", "src-nofollow"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := CheckRestorable(&specs.Spec{Mounts: []specs.Mount{c.mount}}); (err == nil) != c.fine {
				t.Errorf("got %v", err)
			}
		})
	}
}

package cgroup

import (
	"strings"
	"testing"

	"github.com/opencontainers/cgroups"
)

func TestInnerPath(t *testing.T) {
	tests := []struct {
		name, asked, id, want, err string
	}{
		{name: "none", id: "c1", want: "c1"},
		{name: "absolute", asked: "/a/b", id: "c1", want: "/a/b"},
		{name: "relative", asked: "a/b", id: "c1", want: "a/b"},
		{name: "unclean", asked: "//a/./b/", id: "c1", want: "/a/b"},
		{name: "up and down", asked: "/a/../b", id: "c1", want: "/b"},
		{name: "dots in a name", asked: "/..a/b..", id: "c1", want: "/..a/b.."},
		{name: "out", asked: "/../b", err: `linux.cgroupsPath "/../b" leaves the cgroup hierarchy by ".."`},
		{name: "out, relative", asked: "../../etc", err: `linux.cgroupsPath "../../etc" leaves the cgroup hierarchy by ".."`},
		{name: "out later", asked: "/a/../../b/c", err: `linux.cgroupsPath "/a/../../b/c" leaves the cgroup hierarchy by ".."`},
		{name: "root", asked: "/", err: `linux.cgroupsPath "/" is the root of the hierarchy, where no container can be`},
		{name: "root after all", asked: "/a/..", err: `linux.cgroupsPath "/a/.." is the root of the hierarchy, where no container can be`},
		{name: "here", asked: ".", err: `linux.cgroupsPath "." is the root of the hierarchy, where no container can be`},
		{name: "line break", asked: "/a\nb", err: `linux.cgroupsPath "/a\nb" has a line break, which no cgroup can have`},
		{name: "id", id: "a/b", err: `"a/b" cannot name a cgroup`},
		{name: "no id", err: `"" cannot name a cgroup`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := innerPath(test.asked, test.id)
			if got != test.want || errText(err) != test.err {
				t.Errorf("got %q, %v; want %q, %s", got, err, test.want, test.err)
			}
		})
	}
}

func FuzzInnerPath(f *testing.F) {
	f.Add("/a/../../b")
	f.Add("a//b/.")
	f.Fuzz(func(t *testing.T, asked string) {
		inner, err := innerPath(asked, "id")
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %q", err)
			}
			return
		}
		for part := range strings.SplitSeq(inner, "/") {
			if part == ".." {
				t.Errorf("%q: got %q", asked, inner)
			}
		}
		if inner == "/" || inner == "." || inner == "" {
			t.Errorf("%q: got the root, %q", asked, inner)
		}
	})
}

func TestPlaceLegacy(t *testing.T) {
	tests := []struct {
		name              string
		root, inner       string
		controller, owned string
		key, want         string
	}{
		{"absolute", "/", "/a", "memory", "/own", "memory", "/cg/memory/a"},
		{"relative", "/", "a", "memory", "/own", "memory", "/cg/memory/own/a"},
		{"relative, part of the hierarchy mounted", "/docker/x", "a", "memory", "/docker/x/own", "memory", "/cg/memory/own/a"},
		{"named", "/", "a", "systemd", "/own", "name=systemd", "/cg/memory/own/a"},
		{"unknown", "/", "a", "foreign", "/own", "foreign", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			paths := map[string]string{}
			mount := cgroups.Mount{Mountpoint: "/cg/memory", Root: test.root}
			err := placeLegacy(paths, mount, test.controller, test.inner, map[string]string{test.key: test.owned})
			if err != nil || paths[test.key] != test.want {
				t.Errorf("got %v, %v; want %s", paths, err, test.want)
			}
		})
	}
}

// errText returns the text of an error, or "".
func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

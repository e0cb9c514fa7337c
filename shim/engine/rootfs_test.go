package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// layers makes directories of a root file system's, with a file in the lower one.
func layers(t *testing.T) (dir string) {
	t.Helper()
	needs.Root(t, "file systems are mounted")
	dir = t.TempDir()
	for _, name := range []string{"lower/etc", "lower2", "upper", "work", "bundle"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "lower/etc/passwd"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func owner(t *testing.T, path string) [2]uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return [2]uint32{st.Uid, st.Gid}
}

// A pod with a user namespace has a root file system whose ids the mount maps.
func TestMappedRootfs(t *testing.T) {
	dir := layers(t)
	maps := []string{"uidmap=0:100000:65536", "gidmap=0:200000:65536"}
	for _, test := range []struct {
		name  string
		mount Mount
	}{
		{"overlay", Mount{Type: "overlay", Source: "overlay", Options: append(maps,
			"index=off", "workdir="+dir+"/work", "upperdir="+dir+"/upper", "lowerdir="+dir+"/lower2:"+dir+"/lower")}},
		{"overlay without a writable layer", Mount{Type: "overlay", Source: "overlay", Options: append(maps,
			"lowerdir="+dir+"/lower2:"+dir+"/lower")}},
		{"bind", Mount{Type: "bind", Source: dir + "/lower", Options: append(maps, "rbind", "ro")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &Create{Bundle: dir + "/bundle", Rootfs: []Mount{test.mount}}
			if err := mountRootfs(c); err != nil {
				t.Fatal(err)
			}
			got := owner(t, dir+"/bundle/rootfs/etc/passwd")
			if err := UnmountRootfs(c.Bundle); err != nil {
				t.Fatal(err)
			}
			if want := [2]uint32{100000, 200000}; got != want {
				t.Errorf("a file of root's is of %d, want %d", got, want)
			}
			mounts, err := os.ReadFile("/proc/self/mountinfo")
			if strings.Contains(string(mounts), dir) || err != nil {
				t.Errorf("mounts are left: %v", err)
			}
		})
	}
}

func TestMapsThatAreNone(t *testing.T) {
	for _, option := range []string{"uidmap=", "uidmap=0:1", "gidmap=0:1:x", "uidmap=-1:0:1", "uidmap=0:0:1,2"} {
		if _, err := parseOptions([]string{option}); err == nil {
			t.Errorf("%s is taken", option)
		}
	}
	o, err := parseOptions([]string{"uidmap=0:1:2,2:5:3"})
	if err == nil {
		err = o.mount(&Mount{Type: "bind"}, t.TempDir())
	}
	if err == nil || len(o.maps.UIDs) != 2 {
		t.Errorf("%v, and no gids: %v", o.maps, err)
	}
}

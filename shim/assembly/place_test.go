package assembly

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-containers/davit/shim/container"
)

// Where cgroups are files, a container's is below its parent, and a user has none
// but by his own wish.
func TestCgroup(t *testing.T) {
	s, err := container.Open(filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Create(container.Config{Name: "one"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	for _, tt := range []struct {
		name, parent, manager string
		inside                bool
		want                  string // ID is the container's
	}{
		{"default", "", "", false, "/davit-shim/ID"},
		{"parent", "/a/b", "", false, "/a/b/ID"},
		{"relative parent", "a", "", false, "/a/ID"},
		{"parent above the root", "/../../a", "", false, "/a/ID"},
		{"user", "", "", true, ""},
		{"user's parent", "/mine", "", true, "/mine/ID"},
		{"slice", "machine.slice", "", false, "a slice needs systemd"},
		{"slice of files", "machine.slice", "cgroupfs", false, "and here it is cgroupfs"},
		{"colon", "a:b", "", false, "a colon"},
		{"files", "", "cgroupfs", false, "/davit-shim/ID"},
		{"another manager", "", "openrc", false, "it is systemd or cgroupfs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &building{Wanted{CgroupParent: tt.parent, CgroupManager: tt.manager, Inside: tt.inside}, l}
			err := b.cgroup()
			got := b.Options.CgroupsPath
			if err != nil {
				got = err.Error()
			}
			want := strings.ReplaceAll(tt.want, "ID", l.Config.ID)
			if got != want && (err == nil || !strings.Contains(got, want)) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

package bundledir

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/bundle/diff"
	"github.com/davit-containers/davit/bundle/rootfs"
)

// Before is what the image has.
func (b *Bundle) Before() diff.Source { return diff.Layers(b.Userxattr, b.Lower...) }

// Now is what the root file system has, whether it is mounted or not.
func (b *Bundle) Now() diff.Source {
	if b.Form != Overlay {
		return diff.Directory(b.Rootfs())
	}
	upper := rootfs.Writable(b.path("writable")).Upper()
	return diff.Layers(b.Userxattr, append([]string{upper}, b.Lower...)...)
}

// Difference says how the two are compared: what the configuration mounts is
// taken as unchanged, as the runtime makes the places for it.
func (b *Bundle) Difference() (diff.Options, error) {
	data, err := os.ReadFile(b.path("config.json"))
	if err != nil {
		return diff.Options{}, err
	}
	var spec specs.Spec
	if err := json.Unmarshal(data, &spec); err != nil {
		return diff.Options{}, fmt.Errorf("reading config.json: %w", err)
	}
	mounted := map[string]bool{}
	for _, m := range spec.Mounts {
		mounted[strings.TrimPrefix(path.Join("/", m.Destination), "/")] = true
	}
	return diff.Options{UIDs: b.UIDs, GIDs: b.GIDs, Exclude: func(path string) bool { return mounted[path] }}, nil
}

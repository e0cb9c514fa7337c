// Package bundle writes the bundles that runtimes are measured and judged with:
// Debian's busybox, and the configurations of an ordinary container.
//
// It is not for making bundles of images.
package bundle

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// busybox is Debian's static busybox, the one program in the bundles.
const busybox = "/bin/busybox"

// boundFiles and boundDirs are what the full configuration binds.
var boundFiles = []string{"resolv.conf", "hostname", "hosts"}

const boundDirs = 6

// Write makes dir a bundle of one busybox and a configuration.
func Write(dir string, spec *specs.Spec) error {
	for _, sub := range strings.Fields("bin dev etc mnt proc run sys tmp var/tmp") {
		if err := os.MkdirAll(filepath.Join(dir, "rootfs", sub), 0o755); err != nil {
			return err
		}
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		return fmt.Errorf("reading %s: %w [apt-get install busybox-static]", busybox, err)
	}
	for _, name := range []string{"sh", "true", "sleep"} {
		if err := os.WriteFile(filepath.Join(dir, "rootfs/bin", name), program, 0o755); err != nil {
			return err
		}
	}
	return WriteConfig(dir, spec)
}

// WriteConfig writes the bundle's config.json.
func WriteConfig(dir string, spec *specs.Spec) error {
	data, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), data, 0o644)
}

// WriteSources makes what engineMounts binds.
func WriteSources(dir string) error {
	for i := range boundDirs {
		if err := os.MkdirAll(fmt.Sprintf("%s/volume%d", dir, i), 0o755); err != nil {
			return err
		}
	}
	for _, name := range boundFiles {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// tool is a way to unpack an image.
type tool struct {
	name  string
	needs string // the program
	// setup are commands before the run, which are not measured; command is the
	// run. Both write below dir, which is on the new file system.
	setup, command func(in input, dir string) []string
}

// kinds of work, which are compared with each other.
const (
	toDirectory = " (layout to directory)"
	toStore     = " (archive to storage)"
)

// tools are all that are measured: first those that make a directory of an image
// in a layout, then those that bring an archive into a storage of unpacked layers.
func tools(name, program string, others []tool) []tool {
	return append([]tool{
		{name: name + toDirectory, needs: program,
			setup: func(in input, dir string) []string {
				return []string{program, "--root", dir + "/store", "pull", "--unpack=false", "--progress", "none", "oci:" + in.layout + ":" + in.image, "image"}
			},
			command: func(_ input, dir string) []string {
				return []string{program, "--root", dir + "/store", "unpack", "--progress", "none", "image", dir + "/out"}
			}},
		{name: "umoci" + toDirectory, needs: "umoci",
			command: func(in input, dir string) []string {
				return []string{"umoci", "unpack", "--image", in.layout + ":" + in.image, dir + "/out"}
			}},
		{name: "tar" + toDirectory, needs: "tar",
			command: func(in input, dir string) []string { return []string{"sh", "-euc", tarScript(in, dir)} }},
		{name: name + toStore, needs: program,
			command: func(in input, dir string) []string {
				return []string{program, "--root", dir + "/store", "load", "--progress", "none", "--input", in.archive}
			}},
		{name: "podman" + toStore, needs: "podman",
			command: func(in input, dir string) []string {
				return []string{"podman", "--root", dir + "/root", "--runroot", dir + "/run", "--storage-driver", "overlay", "load", "--quiet", "--input", in.archive}
			}},
		{name: "skopeo" + toStore, needs: "skopeo",
			command: func(in input, dir string) []string {
				return []string{"skopeo", "copy", "--quiet", "oci-archive:" + in.archive,
					"containers-storage:[overlay@" + dir + "/root+" + dir + "/run]localhost/image:latest"}
			}},
		{name: "containerd" + toStore, needs: "ctr",
			command: func(in input, dir string) []string { return []string{"sh", "-euc", containerdScript(in, dir)} }},
	}, others...)
}

// other is a program that makes a directory of an image, by the command line
// PROGRAM LAYOUT IMAGE DIR.
func other(name, program string) tool {
	return tool{name: name + toDirectory, needs: program, command: func(in input, dir string) []string {
		return []string{program, in.layout, in.image, dir + "/out"}
	}}
}

// containerdScript has a containerd of its own import and unpack the archive. Its
// start and its end are measured with it: a few tenths of a second.
func containerdScript(in input, dir string) string {
	return fmt.Sprintf(`
printf 'version = 2\nroot = "%[1]s/root"\nstate = "%[1]s/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "%[1]s/sock"\n' >%[1]s/config.toml
containerd --config %[1]s/config.toml --log-level error & pid=$!
trap 'kill $pid; wait $pid || :' EXIT
until ctr --address %[1]s/sock version >/dev/null 2>&1; do sleep 0.05; done
ctr --address %[1]s/sock image import --base-name image --snapshotter overlayfs %[2]s`, dir, in.archive)
}

// tarScript unpacks one layer after the other, and verifies nothing; whiteouts
// stay files, and a directory is not replaced by a file, for which tar's status is
// 2. It is what unpacking costs without being right.
func tarScript(in input, dir string) string {
	var script strings.Builder
	fmt.Fprintf(&script, "mkdir %s/out\n", dir)
	for _, l := range in.layers {
		program := "gzip"
		if strings.HasSuffix(string(l.MediaType), "zstd") {
			program = "zstd"
		}
		blob := filepath.Join(in.layout, "blobs/sha256", l.Digest.Hex)
		fmt.Fprintf(&script, "%s -dc < %s | tar -x --numeric-owner --xattrs --xattrs-include='*' --unlink-first --keep-directory-symlink -C %s/out -f - || test $? = 2\n", program, blob, dir)
	}
	return script.String()
}

// exists tells whether a path is there.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

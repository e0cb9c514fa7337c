package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// peer is a runtime to measure.
type peer struct {
	name    string
	path    string // absolute
	version string // the first line of --version
}

// findPeers are the runtimes named on the command line as name=path, and then
// those of Debian's crun and runc that are installed and not named there.
func findPeers(args []string) ([]peer, error) {
	var peers []peer
	for _, arg := range args {
		name, path, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("runtime %q: want name=path", arg)
		}
		p, err := newPeer(name, path)
		if err != nil {
			return nil, err
		}
		peers = append(peers, p)
	}
	for _, name := range []string{"crun", "runc"} {
		named := func(p peer) bool { return p.name == name }
		if p, err := newPeer(name, name); err == nil && !slices.ContainsFunc(peers, named) {
			peers = append(peers, p)
		}
	}
	if len(peers) == 0 {
		return nil, fmt.Errorf("no runtime named, and neither crun nor runc in PATH")
	}
	return peers, nil
}

// newPeer finds a runtime's program and asks for its version.
func newPeer(name, path string) (peer, error) {
	found, err := exec.LookPath(path)
	if err != nil {
		return peer{}, fmt.Errorf("runtime %s: %w", name, err)
	}
	if found, err = filepath.Abs(found); err != nil {
		return peer{}, fmt.Errorf("runtime %s: %w", name, err)
	}
	out, err := exec.Command(found, "--version").Output()
	if err != nil {
		return peer{}, fmt.Errorf("asking %s for its version: %w", name, err)
	}
	first, _, _ := bytes.Cut(out, []byte("\n"))
	return peer{name: name, path: found, version: string(first)}, nil
}

// kernelRelease is the running kernel's release, as uname -r prints it.
func kernelRelease() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(name.Release[:])
}

package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// defaultSocketDir is where containerd has its shims' sockets.
const defaultSocketDir = "/run/containerd/s"

// groupAnnotations name the group whose containers share a supervisor.
// Compat(containerd): the annotations of its own shim.
var groupAnnotations = []string{"io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"}

// group is the container's group: by its annotations, or alone.
func (c *call) group() (string, error) {
	data, err := os.ReadFile("config.json")
	if err != nil {
		return "", err
	}
	config := struct {
		Annotations map[string]string `json:"annotations"`
	}{}
	if err := json.Unmarshal(data, &config); err != nil {
		return "", fmt.Errorf("reading config.json: %w", err)
	}
	for _, name := range groupAnnotations {
		if group := config.Annotations[name]; group != "" {
			return group, nil
		}
	}
	return c.id, nil
}

// What a socket's path has at most, in bytes (unix(7)), and what a name in it
// needs to be nobody else's.
const (
	maxSocketPath = 106
	minSocketName = 16
)

// socketPath is the path of a group's socket: short, whatever the names are, also that
// of the socket for debugging beside it.
func socketPath(dir, address, namespace, group string) (string, error) {
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(filepath.Join(address, namespace, group))))
	room := maxSocketPath - len(dir) - len("/") - len(debugSuffix)
	if room < minSocketName {
		return "", fmt.Errorf("the directory of sockets %s has a name that is too long: no socket's path can have more than %d bytes", dir, maxSocketPath)
	}
	return dir + "/" + sum[:min(len(sum), room)], nil
}

// lockSockets makes the directory of sockets, and takes its lock: between
// looking for a supervisor and starting one, nobody else shall. It is given
// back by Close.
// CVE-2020-15257, CVE-2024-25621: the directory is for its owner alone.
func lockSockets(dir string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
		return nil, err
	}
	err := os.Mkdir(dir, 0o700)
	if err != nil && !os.IsExist(err) {
		return nil, err
	}
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o700); err != nil {
		f.Close()
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	return f, nil
}

// served tells whether somebody listens on a socket.
func served(path string) bool {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: path}) == nil
}

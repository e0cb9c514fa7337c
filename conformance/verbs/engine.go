package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// engine is a program that is measured.
type engine struct {
	name    string
	command []string // with the flags that give it directories of its own
	limits  []string // flags of run and create
	dir     string
}

// imageName is the image's in each engine.
const imageName = "localhost/verbs:latest"

// newEngine gives a program directories of its own, and the image.
func newEngine(dir, name string, command []string) (*engine, error) {
	e := &engine{name: name, dir: filepath.Join(dir, name)}
	if err := os.MkdirAll(e.dir, 0o711); err != nil {
		return nil, err
	}
	e.command = append(command, "--root", filepath.Join(e.dir, "root"))
	if strings.Contains(filepath.Base(command[0]), "podman") {
		e.command = append(e.command, "--runroot", filepath.Join(e.dir, "run"), "--tmpdir", filepath.Join(e.dir, "tmp"), "--cgroup-manager", "cgroupfs", "--events-backend", "file")
		// Its own are more than a process without CAP_SYS_RESOURCE may set.
		e.limits = []string{"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"}
	}
	archive, err := rootArchive(e.dir)
	if err != nil {
		return nil, err
	}
	_, err = e.output("import", archive, imageName)
	return e, err
}

// rootArchive is a root file system with busybox.
func rootArchive(dir string) (string, error) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return "", err
	}
	root := filepath.Join(dir, "image")
	if err := os.MkdirAll(filepath.Join(root, "bin"), 0o755); err != nil {
		return "", err
	}
	data, err := os.ReadFile(busybox)
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "bin/busybox"), data, 0o755)
	}
	for _, applet := range strings.Fields("sh true sleep echo cat") {
		err = errors.Join(err, os.Symlink("busybox", filepath.Join(root, "bin", applet)))
	}
	if err != nil {
		return "", err
	}
	archive := filepath.Join(dir, "image.tar")
	return archive, exec.Command("tar", "-C", root, "-cf", archive, ".").Run()
}

// output runs one command of the program's. What it leaves running keeps its
// standard error, a file.
func (e *engine) output(args ...string) (string, error) {
	log, err := os.CreateTemp(e.dir, "stderr-")
	if err != nil {
		return "", err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	out, err := os.CreateTemp(e.dir, "stdout-")
	if err != nil {
		return "", err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd := exec.Command(e.command[0], append(e.command[1:len(e.command):len(e.command)], args...)...)
	cmd.Stdout, cmd.Stderr = out, log
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(log.Name())
		return "", fmt.Errorf("%s %s: %w: %s", e.name, strings.Join(args, " "), err, text)
	}
	data, err := os.ReadFile(out.Name())
	return strings.TrimSpace(string(data)), err
}

// container is output of run or create.
func (e *engine) container(verb string, args ...string) error {
	_, err := e.output(append(append([]string{verb}, e.limits...), args...)...)
	return err
}

// remove removes what the program has.
func (e *engine) remove() {
	e.output("rm", "-f", "-a")
	if e.name != "podman" {
		if ids, err := e.output("ps", "-a", "-q"); err == nil && ids != "" {
			e.output(append([]string{"rm", "-f"}, strings.Fields(ids)...)...)
		}
	}
	e.output("rmi", imageName)
	reap()
	exec.Command("umount", "-R", "-q", filepath.Join(e.dir, "root")).Run()
	exec.Command("umount", "-q", filepath.Join(e.dir, "root/overlay")).Run()
}

// reap waits for all orphans that have ended, or are about to.
func reap() {
	deadline := time.Now().Add(time.Second)
	for time.Now().Before(deadline) {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if err != nil {
			return // there are none
		}
		if pid == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// processors is the time that children that have ended have used.
func processors() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_CHILDREN, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

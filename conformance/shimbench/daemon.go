package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// image is the one that containers are made of.
const image = "docker.io/library/shimbench:latest"

// daemon is a containerd.
type daemon struct {
	dir string
	cmd *exec.Cmd
}

// readyTime is more than containerd takes to start.
const readyTime = 30 * time.Second

// startDaemon starts containerd, and imports an image. The shims' programs are
// found through PATH, under the names that their runtimes have.
func startDaemon(shims []shim) (*daemon, error) {
	dir, err := os.MkdirTemp("", "shimbench")
	if err != nil {
		return nil, err
	}
	d := &daemon{dir: dir}
	if err := d.prepare(shims); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd = exec.Command("containerd", "--config", filepath.Join(dir, "config.toml"))
	d.cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	if err := d.ready(); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

func (d *daemon) prepare(shims []shim) error {
	config := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = %q\n",
		d.dir+"/root", d.dir+"/state", d.dir+"/c.sock")
	if err := os.WriteFile(filepath.Join(d.dir, "config.toml"), []byte(config), 0o600); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(d.dir, "bin"), 0o700); err != nil {
		return err
	}
	for _, s := range shims {
		parts := strings.Split(s.runtime, ".")
		if s.path == "" || len(parts) < 2 {
			continue
		}
		name := "containerd-shim-" + strings.Join(parts[len(parts)-2:], "-")
		if err := os.Symlink(s.path, filepath.Join(d.dir, "bin", name)); err != nil {
			return err
		}
	}
	return writeImage(filepath.Join(d.dir, "image.tar"))
}

// ready waits until containerd answers, and has the image.
func (d *daemon) ready() error {
	var err error
	for end := time.Now().Add(readyTime); time.Now().Before(end); {
		var out []byte
		if out, err = d.ctr("image", "import", filepath.Join(d.dir, "image.tar")).CombinedOutput(); err == nil {
			return nil
		}
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return fmt.Errorf("waiting for containerd: %w", err)
}

func (d *daemon) ctr(args ...string) *exec.Cmd {
	return exec.Command("ctr", append([]string{"--address", d.dir + "/c.sock"}, args...)...)
}

// must runs ctr, whose failure is an error that says why.
func (d *daemon) must(args ...string) error {
	if out, err := d.ctr(args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ctr %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

func (d *daemon) stop() {
	d.cmd.Process.Signal(syscall.SIGTERM)
	d.cmd.Wait()
	os.RemoveAll(d.dir)
}

// writeImage writes an image of busybox alone, in docker's form.
func writeImage(path string) error {
	program, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return err
	}
	layer, err := archive(map[string][]byte{"bin/sh": program, "bin/true": program, "bin/sleep": program})
	if err != nil {
		return err
	}
	diff := fmt.Sprintf("sha256:%x", sha256.Sum256(layer))
	config, err1 := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux",
		"config": map[string]any{"Env": []string{"PATH=/bin"}, "Cmd": []string{"/bin/sh"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{diff}},
	})
	manifest, err2 := json.Marshal([]any{map[string]any{
		"Config": "config.json", "RepoTags": []string{image}, "Layers": []string{"layer.tar"},
	}})
	whole, err3 := archive(map[string][]byte{"config.json": config, "manifest.json": manifest, "layer.tar": layer})
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	return os.WriteFile(path, whole, 0o600)
}

func archive(files map[string][]byte) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, data := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

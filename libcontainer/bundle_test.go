package libcontainer

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/libcontainer/spec"
)

// TestMain runs the tests with a guard: containers outlive a killed test.
func TestMain(m *testing.M) { os.Exit(guard.Run(m.Run)) }

// box is a bundle of Debian's busybox and a runtime to run it with.
type box struct {
	t       *testing.T
	dir     string
	runtime *Runtime
	config  *specs.Spec
	warned  []string
}

// applets are the names under which a bundle's busybox is found.
var applets = [...]string{"sh", "true", "cat", "ls", "id", "sleep", "readlink", "stat", "echo", "grep", "mount", "mkdir", "kill", "hostname", "env", "nproc", "wc", "touch", "pwd", "nc"}

// newBox makes a bundle below a new directory, with the default configuration
// and no terminal.
func newBox(t *testing.T) *box {
	t.Helper()
	if !strings.HasPrefix(t.Name(), "TestUser") {
		needs.Root(t, "making containers without privilege needs a user namespace of one's own")
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		needs.File(t, "/bin/busybox", "busybox-static")
		t.Fatal(err)
	}
	b := &box{t: t, dir: t.TempDir(), config: spec.Default()}
	b.runtime = &Runtime{Root: filepath.Join(b.dir, "state"), Warn: func(m string) { b.warned = append(b.warned, m) }}
	b.config.Process.Terminal = false
	b.config.Linux.CgroupsPath = guard.Name() + filepath.Base(filepath.Dir(b.dir))
	for _, dir := range []string{"bin", "proc", "sys", "dev", "etc", "tmp"} {
		b.must(os.MkdirAll(b.rootfs(dir), 0o755))
	}
	b.must(os.WriteFile(b.rootfs("bin/busybox"), busybox, 0o755))
	for _, name := range applets {
		b.must(os.Symlink("busybox", b.rootfs("bin/"+name)))
	}
	b.must(os.Chmod(b.dir, 0o755))
	b.must(os.Chmod(filepath.Dir(b.dir), 0o755))
	return b
}

func (b *box) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) rootfs(path string) string { return filepath.Join(b.dir, "rootfs", path) }

// file writes a file of the root file system.
func (b *box) file(path, content string, mode os.FileMode) {
	b.t.Helper()
	b.must(os.WriteFile(b.rootfs(path), []byte(content), mode))
	b.must(os.Chmod(b.rootfs(path), mode))
}

// userNamespace gives the container a user namespace and its files to that
// namespace's root.
func (b *box) userNamespace() {
	maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
	b.config.Linux.Namespaces = append(b.config.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	b.config.Linux.UIDMappings, b.config.Linux.GIDMappings = maps, maps
	b.must(filepath.WalkDir(b.rootfs(""), func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, 100000, 100000)
	}))
}

// load writes config.json and loads the bundle.
func (b *box) load() (*Bundle, error) {
	b.t.Helper()
	data, err := json.Marshal(b.config)
	b.must(err)
	b.must(os.WriteFile(filepath.Join(b.dir, "config.json"), data, 0o644))
	return LoadBundle(b.dir, "")
}

// run runs the container to its end and gives what it printed.
func (b *box) run(args ...string) (string, ExitStatus, error) {
	b.t.Helper()
	b.config.Process.Args = args
	bundle, err := b.load()
	if err != nil {
		return "", ExitStatus{}, err
	}
	r, w, err := os.Pipe()
	b.must(err)
	defer r.Close()
	output := make(chan string)
	go func() {
		data, _ := io.ReadAll(r)
		output <- string(data)
	}()
	exit, err := b.runBundle(bundle, w)
	w.Close()
	return <-output, exit, err
}

func (b *box) runBundle(bundle *Bundle, out *os.File) (ExitStatus, error) {
	b.t.Helper()
	c, err := b.runtime.Create("box", bundle, CreateOptions{Stdio: [3]*os.File{nil, out, out}})
	if err != nil {
		return ExitStatus{}, err
	}
	var exit ExitStatus
	if err = c.Start(); err == nil {
		exit, err = c.Wait()
	}
	b.must(c.Destroy())
	return exit, err
}

// succeeds runs the container and gives its output, without the last line break.
func (b *box) succeeds(args ...string) string {
	b.t.Helper()
	output, exit, err := b.run(args...)
	if err != nil {
		b.t.Fatalf("running %q: %v", args, err)
	}
	if exit.Code() != 0 {
		b.t.Fatalf("running %q: exit status %d: %s", args, exit.Code(), output)
	}
	return strings.TrimSuffix(output, "\n")
}

// remains is all that a container could leave behind on the host.
func (b *box) remains() string {
	b.t.Helper()
	var left bytes.Buffer
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	b.must(err)
	for _, line := range strings.Split(string(mounts), "\n") {
		if strings.Contains(line, b.dir) {
			left.WriteString("mount " + line + "\n")
		}
	}
	ids, err := b.runtime.IDs()
	if err == nil && len(ids) > 0 {
		left.WriteString("state " + strings.Join(ids, " ") + "\n")
	}
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasSuffix(path, "/"+b.config.Linux.CgroupsPath) {
			left.WriteString("cgroup " + path + "\n")
		}
		return nil
	})
	return left.String()
}

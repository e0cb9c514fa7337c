package security

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/needs"
)

// patience is how long one call of the runtime may take.
const patience = 60 * time.Second

// firstHostID is the host's id of root in a container's user namespace.
const firstHostID = 200000

// bundle is a root file system of an attacker's making with a configuration,
// and one container of it. What a test leaves of it on the host is an error.
type bundle struct {
	*testing.T
	runtime string
	dir     string
	id      string
	config  *specs.Spec
	before  host
	env     []string // of the runtime; nil for this process's
}

// applets are the names under which the root file system has its busybox.
var applets = strings.Fields("cat chmod cut echo env false grep head hostname id kill ln ls mkdir mknod mount printf readlink rm sh sleep stat stty test touch tr true umount wc")

// serial counts the bundles of this process.
var serial atomic.Int32

// newBundle makes a bundle in a new directory.
func newBundle(t *testing.T) *bundle {
	t.Helper()
	needs.Root(t, "it makes containers, and mounts, and attacks them")
	needs.File(t, "/bin/busybox", "busybox-static")
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	runtime, err := program()
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{T: t, runtime: runtime, dir: t.TempDir(), config: ordinary()}
	b.id = fmt.Sprintf("%s%d", guard.Name(), serial.Add(1))
	b.config.Linux.CgroupsPath = "/" + b.id
	for _, dir := range strings.Fields("bin dev etc proc sys tmp vol") {
		b.must(os.MkdirAll(b.root(dir), 0o755))
	}
	b.file("bin/busybox", string(busybox), 0o755)
	for _, name := range applets {
		b.link("bin/"+name, "busybox")
	}
	b.must(os.Chmod(b.dir, 0o755))
	b.must(os.Chmod(filepath.Dir(b.dir), 0o755))
	b.before = b.look()
	t.Cleanup(b.end)
	return b
}

// eachKind runs a test with and without a user namespace.
func eachKind(t *testing.T, test func(b *bundle)) {
	for _, kind := range []string{"native", "userns"} {
		t.Run(kind, func(t *testing.T) {
			b := newBundle(t)
			if kind == "userns" {
				b.userNamespace()
			}
			test(b)
		})
	}
}

func (b *bundle) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// root is the host's path of one in the root file system.
func (b *bundle) root(path string) string { return filepath.Join(b.dir, "rootfs", path) }

// file writes a file of the root file system.
func (b *bundle) file(path, content string, mode os.FileMode) {
	b.Helper()
	b.must(os.WriteFile(b.root(path), []byte(content), mode))
	b.must(os.Chmod(b.root(path), mode))
}

// link puts a symbolic link in the place of whatever is at a path of the root
// file system.
func (b *bundle) link(path, target string) {
	b.Helper()
	b.must(os.RemoveAll(b.root(path)))
	b.must(os.Symlink(target, b.root(path)))
}

// userNamespace gives the container a user namespace.
func (b *bundle) userNamespace() {
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: firstHostID, Size: 65536}}
	b.config.Linux.Namespaces = append(b.config.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	b.config.Linux.UIDMappings, b.config.Linux.GIDMappings = ids, ids
}

func (b *bundle) writeConfig() {
	b.Helper()
	data, err := json.Marshal(b.config)
	b.must(err)
	b.must(os.WriteFile(filepath.Join(b.dir, "config.json"), data, 0o644))
}

func (b *bundle) hasUserNamespace() bool { return len(b.config.Linux.UIDMappings) > 0 }

// write writes config.json, and gives the root file system to its owner.
func (b *bundle) write() {
	b.Helper()
	b.writeConfig()
	if b.hasUserNamespace() {
		b.must(filepath.WalkDir(b.root(""), func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, firstHostID, firstHostID)
		}))
	}
}

// result is how a call of the runtime ended.
type result struct {
	out, err string
	code     int
	memory   int64 // the most that the call took, in KiB
}

func (r result) failed() bool { return r.code != 0 }

// String is for messages.
func (r result) String() string { return fmt.Sprintf("status %d: %s%s", r.code, r.out, r.err) }

// call calls the runtime, whose output goes to files: a container that stays
// would hold pipes.
func (b *bundle) call(args ...string) result {
	b.Helper()
	return b.callWith(nil, args...)
}

// callWith is call with a change to the command.
func (b *bundle) callWith(change func(*exec.Cmd), args ...string) result {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.runtime, append([]string{"--root", b.state()}, args...)...)
	out, err := os.CreateTemp(b.dir, "out-")
	b.must(err)
	defer out.Close()
	errs, err := os.CreateTemp(b.dir, "err-")
	b.must(err)
	defer errs.Close()
	cmd.Stdout, cmd.Stderr, cmd.Env = out, errs, b.env
	if change != nil {
		change(cmd)
	}
	err = cmd.Run()
	if ctx.Err() != nil {
		b.Fatalf("%v took more than %v", args, patience)
	}
	if cmd.ProcessState == nil {
		b.Fatal(err)
	}
	memory := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	return result{b.take(out), b.take(errs), cmd.ProcessState.ExitCode(), memory}
}

// take reads what the runtime wrote, and removes it.
func (b *bundle) take(f *os.File) string {
	b.Helper()
	data, err := os.ReadFile(f.Name())
	b.must(err)
	os.Remove(f.Name())
	return string(bytes.TrimRight(data, "\n"))
}

func (b *bundle) state() string { return filepath.Join(b.dir, "state") }

// run runs a program in a container to its end.
func (b *bundle) run(args ...string) result {
	b.Helper()
	b.config.Process.Args = args
	b.write()
	return b.call("run", "--bundle", b.dir, b.id)
}

// shell runs a line of shell in a container, which must succeed.
func (b *bundle) shell(line string) string {
	b.Helper()
	r := b.run("sh", "-c", line)
	if r.failed() {
		b.Fatalf("running %q: %v", line, r)
	}
	return r.out
}

// create makes the container, and gives its process, or 0 and why not.
func (b *bundle) create(options ...string) (pid int, r result) {
	b.Helper()
	b.write()
	r = b.call(append(append([]string{"create", "--bundle", b.dir}, options...), b.id)...)
	if r.failed() {
		return 0, r
	}
	return b.pid(), r
}

// created makes a container that must come about.
func (b *bundle) created(options ...string) int {
	b.Helper()
	pid, r := b.create(options...)
	if pid == 0 {
		b.Fatalf("create: %v", r)
	}
	return pid
}

// started makes a container that runs a program, and leaves it.
func (b *bundle) started(args ...string) int {
	b.Helper()
	b.config.Process.Args = args
	pid := b.created()
	b.ok(b.call("start", b.id))
	return pid
}

func (b *bundle) ok(r result) result {
	b.Helper()
	if r.failed() {
		b.Fatal(r)
	}
	return r
}

// pid is the container's first process as the runtime tells it.
func (b *bundle) pid() int {
	b.Helper()
	var state specs.State
	b.must(json.Unmarshal([]byte(b.ok(b.call("state", b.id)).out), &state))
	return state.Pid
}

// remove removes the container, whatever it does.
func (b *bundle) remove() {
	b.Helper()
	b.ok(b.call("delete", "--force", b.id))
}

// end removes what there may be, and compares the host with what it was.
func (b *bundle) end() {
	b.Helper()
	b.remove()
	b.look().compare(b.T, b.before)
}

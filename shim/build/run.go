package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/config"
	"github.com/davit-containers/davit/bundle/config/users"
	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/shim/network"
	"github.com/davit-containers/davit/shim/options"
)

// hostName is what a program that builds sees as the host's name: always the same.
const hostName = "davit-build"

// prepareRun finds out what the mounts give.
func (p *prepared) prepareRun(ctx context.Context) error {
	for i := range p.step.Run.Mounts {
		m, err := p.m.b.bind(ctx, &p.step.Run.Mounts[i])
		if err != nil {
			return fmt.Errorf("mount on %s: %w", p.step.Run.Mounts[i].Target, err)
		}
		p.mounts = append(p.mounts, *m)
		p.inputs = append(p.inputs, m.input)
	}
	return nil
}

// run is RUN: a container in the root file system, and nothing of it afterwards
// but what its program wrote there.
func (p *prepared) run(ctx context.Context, r *root, j *job) (err error) {
	stubs := &stubs{root: r.file}
	defer func() { err = errors.Join(err, stubs.remove()) }()
	mounted, err := p.mountAll(ctx, r)
	defer func() { err = errors.Join(err, mounted.unmount()) }()
	if err != nil {
		return err
	}
	var at *connection
	if p.network() == DefaultNetwork {
		if at, err = p.m.b.connected(ctx); err != nil {
			return err
		}
		defer p.m.b.release(at)
	}
	spec, err := p.spec(r, mounted, at)
	if err != nil {
		return err
	}
	for _, m := range spec.Mounts {
		if err := stubs.make(m); err != nil {
			return fmt.Errorf("making a place for the mount on %s: %w", m.Destination, err)
		}
	}
	if err := writeConfig(r.dir, spec); err != nil {
		return err
	}
	return p.execute(ctx, r, j)
}

// writeConfig writes the bundle's configuration.
func writeConfig(dir string, spec *specs.Spec) error {
	raw, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), raw, 0o600)
}

// spec is the container's configuration: that of a container by default, with the
// environment of the step and nothing of this process's.
// CVE-2021-3602, CVE-2026-57231: the host's environment was the container's.
func (p *prepared) spec(r *root, m *mounted, at *connection) (*specs.Spec, error) {
	run := p.step.Run
	id, err := users.Lookup(r.file, run.User)
	if err != nil {
		return nil, err
	}
	facts, err := options.Host()
	if err != nil {
		return nil, err
	}
	o := config.Options{
		Entrypoint: []string{""}, Command: run.Args, Env: append(append([]string{}, run.Proxies...), m.env...), Cwd: run.Dir,
		Mounts: m.mounts, Rootless: p.m.b.o.Rootless, Namespaces: map[specs.LinuxNamespaceType]config.Namespace{},
	}
	switch {
	case at != nil:
		o.Namespaces[specs.NetworkNamespace] = config.Namespace{Path: at.path()}
	case p.network() == HostNetwork:
		o.Namespaces[specs.NetworkNamespace] = config.Namespace{Host: true}
	}
	p.m.b.rootless(&o)
	files, err := p.networkFiles(r, at)
	if err != nil {
		return nil, err
	}
	o.Mounts = append(o.Mounts, files...)
	image := &v1.ConfigFile{Config: v1.Config{Env: run.Env}}
	result, err := config.New(image, id, o, facts)
	if err != nil {
		return nil, err
	}
	result.Spec.Hostname = hostName
	result.Spec.Annotations = nil
	if p.m.b.o.OneOwner {
		result.Spec.Process.User.AdditionalGids = nil // nobody may set groups there: user_namespaces(7)
	}
	return result.Spec, nil
}

// rootless leaves out what a user namespace may not do: mount a network's /sys that
// is not its own, and give terminals to a group that it does not have.
func (b *builder) rootless(o *config.Options) {
	if !b.o.Rootless {
		return
	}
	if o.Namespaces[specs.NetworkNamespace].Host {
		o.Mounts = append(o.Mounts, specs.Mount{Destination: "/sys", Type: "bind", Source: "/sys", Options: []string{"rbind", "nosuid", "noexec", "nodev", "rro"}})
	}
	if b.o.OneOwner {
		o.Mounts = append(o.Mounts, specs.Mount{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}})
	}
}

// networkFiles are the files by which programs find names, as they are for the
// container's network.
func (p *prepared) networkFiles(r *root, at *connection) ([]specs.Mount, error) {
	files := network.Files{Dir: filepath.Join(r.dir, "network"), Kind: network.None, Hostname: hostName, Hosts: p.m.b.o.Hosts}
	if p.network() == HostNetwork {
		files.Kind = network.Host
	}
	if at != nil {
		files = at.files
	} else if err := errors.Join(os.Mkdir(files.Dir, 0o755), files.Write()); err != nil {
		return nil, err
	}
	bind := func(dest, source string) specs.Mount {
		return specs.Mount{Destination: dest, Type: "bind", Source: source, Options: []string{"rbind", "rprivate", "ro"}}
	}
	return []specs.Mount{bind("/etc/hosts", files.HostsPath()), bind("/etc/resolv.conf", files.ResolvPath())}, nil
}

// exitError is a program that failed.
type exitError struct {
	args []string
	code int
	hint string
}

// Error has buildkit's words.
func (e *exitError) Error() string {
	text := fmt.Sprintf("process %q did not complete successfully: exit code: %d", strings.Join(e.args, " "), e.code)
	if e.hint != "" {
		text += " [" + e.hint + "]"
	}
	return text
}

// runtime is where the containers' states are.
func (b *builder) runtime() *libcontainer.Runtime {
	r := runtimeIn(b.o.Run, b.o.Rootless)
	r.Filters = b.o.Filters
	return r
}

func runtimeIn(run string, rootless bool) *libcontainer.Runtime {
	r := &libcontainer.Runtime{Root: filepath.Join(run, "build")}
	if rootless {
		r.Cgroups = libcontainer.CgroupDisabled
	}
	return r
}

// execute runs the container of a bundle to its end, and removes it. When ctx
// ends, it is killed.
func (p *prepared) execute(ctx context.Context, r *root, j *job) (err error) {
	bundle, err := libcontainer.LoadBundle(r.dir, "")
	if err != nil {
		return err
	}
	streams, printed, err := outputs(j)
	if err != nil {
		return err
	}
	id := p.m.b.id + "-" + filepath.Base(r.dir)[len("scratch-"):]
	c, err := p.m.b.runtime().Create(id, bundle, libcontainer.CreateOptions{Stdio: streams})
	for _, f := range streams {
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		<-printed
		return err
	}
	defer func() { err = errors.Join(err, c.Destroy()) }()
	stop := context.AfterFunc(ctx, func() { _ = c.SignalAll(unix.SIGKILL) })
	defer stop()
	if err := c.Start(); err != nil {
		return err
	}
	exit, err := c.Wait()
	if err != nil {
		return err
	}
	<-printed
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if exit.Code() != 0 {
		return &exitError{p.step.Run.Args, exit.Code(), c.Diagnose(exit)}
	}
	return nil
}

// outputs are a program's streams: nothing to read, and what it prints goes to the
// job, until the channel is closed.
func outputs(j *job) (streams [3]*os.File, printed chan struct{}, err error) {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return streams, nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return streams, nil, errors.Join(err, null.Close())
	}
	fd, err := unix.FcntlInt(write.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return streams, nil, errors.Join(err, null.Close(), read.Close(), write.Close())
	}
	printed = make(chan struct{})
	go func() {
		defer close(printed)
		defer read.Close()
		_, _ = io.Copy(j, read) // whatever ends it, there is no more
	}()
	return [3]*os.File{null, write, os.NewFile(uintptr(fd), "output")}, printed, nil
}

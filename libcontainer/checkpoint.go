package libcontainer

import (
	"fmt"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/cgroup"
	"github.com/davit-containers/davit/libcontainer/criu"
	"github.com/davit-containers/davit/libcontainer/plan"
)

// CheckpointOptions are what a caller says of a checkpoint.
type CheckpointOptions struct {
	ImageOptions
	Parent          string        // an earlier image, relative to Images: only what has changed since is written
	PreDump         bool          // write the memory alone, and let the container run on
	LeaveRunning    bool          // let the container run on
	TCPSkipInFlight bool          // skip TCP connections that are not yet accepted
	LinkRemap       bool          // link deleted files back
	PageServer      *criu.Address // where the memory is sent, or with LazyPages served
	Ready           *os.File      // is written a zero byte when the pages are served, and closed
}

// dumpLog and dumpStats are what criu writes beside an image.
const (
	dumpLog   = "dump.log"
	dumpStats = "stats-dump"
)

// dump is one checkpoint while it is made.
type dump struct {
	container *Container
	options   CheckpointOptions
	config    *specs.Spec
	cgroup    *cgroup.Manager
	dirs      imageDirs
	session   *criu.Session
	request   criu.Dump
	locked    bool
}

// Checkpoint writes the container's processes to an image, from which Restore
// makes them again. Unless the container is to run on, its processes have ended
// afterwards, and Destroy removes the rest. A failed checkpoint leaves it
// running.
func (c *Container) Checkpoint(o CheckpointOptions) error {
	d := &dump{container: c, options: o}
	defer d.close()
	return d.run()
}

// run is the order of events. Nothing is stopped before the last of them.
func (d *dump) run() error {
	for _, event := range []func(*dump) error{
		(*dump).lock,
		(*dump).checkStatus,
		(*dump).configure,
		(*dump).openDirs,
		(*dump).startCriu,
		(*dump).checkFeatures,
		(*dump).describe,
		(*dump).describeOutside,
		(*dump).saveDescriptors,
		(*dump).write,
	} {
		if err := event(d); err != nil {
			return err
		}
	}
	return nil
}

// lock keeps others from removing the container meanwhile.
func (d *dump) lock() error {
	err := d.container.lock()
	d.locked = err == nil
	return err
}

// checkStatus refuses a container that has no processes of its own.
// Compat(runc): its text.
func (d *dump) checkStatus() error {
	status, err := d.container.Status()
	if err != nil {
		return err
	}
	if status != Running && status != Paused {
		return &StatusError{fmt.Sprintf("Container cannot be checkpointed in %s state", status), ErrNotRunning}
	}
	return nil
}

func (d *dump) configure() (err error) {
	if d.config, err = d.container.config(); err != nil {
		return err
	}
	if d.config.Linux == nil {
		d.config.Linux = &specs.Linux{}
	}
	if err := plan.CheckRestorable(d.config); err != nil {
		return err
	}
	d.cgroup, err = d.container.manager()
	return err
}

// openDirs opens the image's directory, and checks that its parent is there.
func (d *dump) openDirs() (err error) {
	o := &d.options
	if d.dirs.images, err = openMade(o.Images); err != nil {
		return fmt.Errorf("opening the image directory %s: %w", o.Images, pathError(err))
	}
	if err := d.checkParent(); err != nil {
		return err
	}
	return d.dirs.openWork(&o.ImageOptions, dumpLog, dumpStats)
}

// checkParent wants a directory beside the image: criu links to it by the
// path given.
// Compat(runc): the text, as far as its integration tests look.
func (d *dump) checkParent() error {
	parent := d.options.Parent
	if parent == "" {
		return nil
	}
	if filepath.IsAbs(parent) {
		return fmt.Errorf("--parent-path must be relative, to the image: %s", parent)
	}
	var st unix.Stat_t
	err := unix.Fstatat(int(d.dirs.images.Fd()), parent, &st, 0)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		err = unix.ENOTDIR
	}
	if err != nil {
		return fmt.Errorf("invalid --parent-path: %s: %w", filepath.Join(d.options.Images, parent), err)
	}
	return nil
}

func (d *dump) startCriu() error {
	path, err := criu.Find()
	if err != nil {
		return err
	}
	if d.session, err = criu.Start(path); err != nil {
		return err
	}
	version, err := d.session.Version()
	d.container.runtime.debugf("criu is %s, version %v", path, version)
	return err
}

// checkFeatures asks only for what is needed.
func (d *dump) checkFeatures() error {
	if !d.options.PreDump && !d.options.LazyPages {
		return nil
	}
	features, err := d.session.Features()
	switch {
	case err != nil:
		return err
	case d.options.PreDump && !features.MemoryTracking:
		return fmt.Errorf("--pre-dump: this kernel does not track which memory is written to [it needs CONFIG_MEM_SOFT_DIRTY]")
	case d.options.LazyPages && !features.LazyPages:
		return fmt.Errorf("--lazy-pages: this kernel cannot serve pages lazily [it needs userfaultfd with events]")
	}
	return nil
}

// describe says what is dumped, and how.
func (d *dump) describe() error {
	o, s := &d.options, d.container.state
	d.request = criu.Dump{
		Options: o.options(&d.dirs, dumpLog), Pid: s.Pid,
		LeaveRunning: o.LeaveRunning, TCPSkipInFlight: o.TCPSkipInFlight, LinkRemap: o.LinkRemap,
		ParentImages: o.Parent, PageServer: o.PageServer, FreezeCgroup: d.cgroup.Freezer(),
	}
	d.request.Root = s.Rootfs
	d.request.ConfigFile = criuConfig(s.Annotations)
	return nil
}

// describeOutside says what of it is the host's.
func (d *dump) describeOutside() (err error) {
	if d.request.External, err = dumpNamespaces(d.config.Linux); err != nil || d.options.PreDump {
		return err
	}
	mounts, err := d.container.externalMounts()
	if err != nil {
		return err
	}
	masks, err := maskedFiles(d.container.state.Pid, d.config.Linux.MaskedPaths)
	if err != nil {
		return err
	}
	d.request.Mounts = append(dumpMounts(d.container.state.Rootfs, mounts), masks...)
	return nil
}

// externalMounts are the container's mounts that come from the host.
func (c *Container) externalMounts() ([]plan.ExternalMount, error) {
	s, err := c.config()
	if err != nil {
		return nil, err
	}
	b := &Bundle{Path: c.state.Bundle, Spec: s}
	facts, err := b.facts(&CreateOptions{})
	if err != nil {
		return nil, err
	}
	mounts := plan.ExternalMounts(s, facts, plan.Options{ID: c.ID(), Bundle: c.state.Bundle, Rootfs: c.state.Rootfs})
	if dir := filepath.Join(c.dir.Path(), "notify"); exists(dir) {
		mounts = append(mounts, plan.ExternalMount{Dest: notifyDir, Source: dir})
	}
	return mounts, nil
}

// saveDescriptors notes in the image which pipes the container was given.
func (d *dump) saveDescriptors() error {
	if d.options.PreDump {
		return nil
	}
	content := d.container.state.Descriptors
	if len(content) == 0 {
		content = []byte(noPipes)
	}
	if err := writeImageFile(d.dirs.images, descriptorsFile, content); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Join(d.dirs.images.Name(), descriptorsFile), err)
	}
	return nil
}

// writeImageFile replaces a file, and what is not one.
func writeImageFile(dir *os.File, name string, content []byte) error {
	if err := unix.Unlinkat(int(dir.Fd()), name, 0); err != nil && err != unix.ENOENT {
		return err
	}
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	_, err = f.Write(content)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return pathError(err)
}

// write has criu write the image.
func (d *dump) write() error {
	err := d.dump()
	if closeErr := d.closeSession(); err == nil && closeErr != nil && !d.options.PreDump {
		err = fmt.Errorf("criu failed: %w", closeErr)
	}
	if err != nil {
		return fmt.Errorf("checkpointing container %s: %w", d.container.ID(), err)
	}
	return nil
}

func (d *dump) dump() error {
	if d.options.PreDump {
		return d.session.PreDump(&d.request, d.heed)
	}
	return d.session.Dump(&d.request, d.heed)
}

// heed does what is to be done at an event of criu's.
func (d *dump) heed(n criu.Notification) error {
	d.container.runtime.debugf("criu: %s", n.Event)
	if n.Event != criu.StatusReady || d.options.Ready == nil {
		return nil
	}
	if _, err := d.options.Ready.Write([]byte{0}); err != nil {
		d.container.runtime.warn(fmt.Sprintf("telling that the pages are served: %v", err))
	}
	d.options.Ready.Close()
	d.options.Ready = nil
	return nil
}

// closeSession ends the talk with criu. After a pre-dump criu would wait for a
// dump, and calls it a failure that there is none.
func (d *dump) closeSession() error {
	s := d.session
	d.session = nil
	return s.Close()
}

func (d *dump) close() {
	if d.session != nil {
		d.closeSession()
	}
	if d.options.Ready != nil {
		d.options.Ready.Close()
	}
	d.dirs.close()
	if d.locked {
		d.container.dir.Unlock()
	}
}

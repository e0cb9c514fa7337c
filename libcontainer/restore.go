package libcontainer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/criu"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/plan"
	"github.com/davit-containers/davit/libcontainer/spec"
)

// RestoreOptions are what a caller says of a restoration beyond the bundle.
type RestoreOptions struct {
	ImageOptions
	Stdio           [3]*os.File                 // stand for the pipes that the container was given
	ConsoleSocket   string                      // is sent the terminal's master
	Console         func(master *os.File) error // is given the terminal's master where there is no ConsoleSocket
	PidFile         string                      // is written the pid
	NotifySocket    string                      // as for Create
	TCPClose        bool                        // restore TCP connections as closed
	LSMProfile      string                      // TYPE:NAME, in place of the one in the image
	LSMMountContext string                      // in place of the ones in the image
}

// The names of what criu writes, and of the mount point of the root file
// system in the container's directory.
const (
	restoreLog   = "restore.log"
	restoreStats = "stats-restore"
	restoreRoot  = "criu-root"
)

// restoration is one container while it is restored: made as at its creation,
// but for the stage, which becomes criu.
type restoration struct {
	creation
	options RestoreOptions

	dirs    imageDirs
	joined  *joined
	session *criu.Session
	theirs  *os.File          // criu's end of the session
	program string            // criu's path
	cgroups map[string]string // of criu, and to be the processes'

	criuNamespaces map[string]string // by their names in /proc/PID/ns
	root           unix.Stat_t       // of the root file system, as criu has it

	pid int // of the container's first process

	// unlimited: the limits are written when the processes are there, not
	// before: criu is one more.
	unlimited bool
	pidfd     *os.File
}

// Restore makes the container of a bundle with the processes of an image that
// Checkpoint wrote. When it fails, nothing is left of the container.
//
// What the image says of the container's surroundings is compared with the
// configuration before a process runs. What the processes do is the image's: it
// is a program like any other.
func (r *Runtime) Restore(id string, b *Bundle, o RestoreOptions) (*Container, error) {
	re, err := r.prepareRestore(id, b, o)
	if err != nil {
		return nil, err
	}
	defer re.close()
	for _, w := range slices.Concat(spec.Warnings(b.Spec), re.plan.Warnings, re.cgroup.Warnings()) {
		r.warn(w)
	}
	if err := re.run(); err != nil {
		re.undo()
		return nil, fmt.Errorf("restoring container %s: %w", id, err)
	}
	return &Container{runtime: r, dir: re.dir, state: re.state, spec: b.Spec, cgroup: re.cgroup, pidfd: re.pidfd}, re.dir.Unlock()
}

// prepareRestore decides all that can be decided before anything is made.
func (r *Runtime) prepareRestore(id string, b *Bundle, o RestoreOptions) (*restoration, error) {
	if err := r.checkNew(id); err != nil {
		return nil, err
	}
	if err := plan.CheckRestorable(b.Spec); err != nil {
		return nil, err
	}
	re := &restoration{options: o, creation: *newCreation(r, id, b, CreateOptions{
		Stdio: o.Stdio, ConsoleSocket: o.ConsoleSocket, Console: o.Console, NotifySocket: o.NotifySocket,
	})}
	re.maker, re.doing = re, "restoring the container"
	re.limited, re.unlimited = true, true
	for _, decide := range []func(*restoration) error{
		(*restoration).findRootfs, (*restoration).addNotifySocket, (*restoration).chooseCgroup,
		(*restoration).findCriu, (*restoration).openDirs, (*restoration).openOutside, (*restoration).compilePlan,
	} {
		if err := decide(re); err != nil {
			re.close()
			return nil, err
		}
	}
	return re, nil
}

// run is the order of events. State comes before what it describes, and no
// mount is made where it would stay.
func (r *restoration) run() error {
	for _, event := range []func(*restoration) error{
		(*restoration).claim,
		(*restoration).makeNotifyDir,
		(*restoration).makeCgroup,
		(*restoration).openFiles,
		(*restoration).startStage,
		(*restoration).enterCgroup,
		(*restoration).converse,
		(*restoration).openWorkInside,
		(*restoration).applyRdt,
		(*restoration).becomeCriu,
		(*restoration).restore,
		(*restoration).endCriu,
		(*restoration).writePidFile,
	} {
		if err := event(r); err != nil {
			return err
		}
	}
	return nil
}

func (r *restoration) findCriu() (err error) {
	r.program, err = criu.Find()
	return err
}

// openDirs opens the image, which may be anyone's, and checks it.
func (r *restoration) openDirs() (err error) {
	if r.dirs.images, err = openDir(r.options.Images); err != nil {
		return fmt.Errorf("opening the image directory %s: %w", r.options.Images, pathError(err))
	}
	if err := r.dirs.openWork(&r.options.ImageOptions, restoreLog, restoreStats); err != nil {
		return err
	}
	return checkImages(r.dirs.images, r.dirs.work)
}

// openOutside opens what criu inherits: its end of the session, and namespaces.
func (r *restoration) openOutside() (err error) {
	if r.joined, err = openJoined(r.linux()); err != nil {
		return err
	}
	if r.session, r.theirs, err = criu.Open(); err != nil {
		return err
	}
	r.files.preserved = append([]*os.File{r.theirs}, r.joined.files...)
	return r.chooseStdio()
}

// chooseStdio gives criu the streams; those of a terminal are in the image.
func (r *restoration) chooseStdio() error {
	if p := r.bundle.Spec.Process; p == nil || !p.Terminal {
		return nil
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("opening the null device: %w", pathError(err))
	}
	r.files.owned = append(r.files.owned, null)
	r.outlets.stdio = [3]*os.File{null, null, null}
	return nil
}

func (r *restoration) linux() *specs.Linux {
	if r.bundle.Spec.Linux == nil {
		return &specs.Linux{}
	}
	return r.bundle.Spec.Linux
}

// compilePlan makes the plan of a stage that becomes criu.
func (r *restoration) compilePlan() error {
	facts, err := r.bundle.facts(&r.creation.options)
	if err != nil {
		return err
	}
	r.plan, err = plan.CompileRestore(r.bundle.Spec, facts, r.planOptions(), plan.Restorer{
		Dir: filepath.Join(r.runtime.Root, r.id), Mountpoint: restoreRoot,
		CgroupNamespace: r.leavesCgroups(),
		Program:         r.program, Args: append([]string{"criu"}, criu.Args()...), Env: os.Environ(),
	})
	return err
}

func (r *restoration) planOptions() plan.Options {
	return plan.Options{
		ID: r.id, Bundle: r.bundle.Path, Rootfs: r.rootfs, PreserveFDs: len(r.files.preserved),
		Join: r.join, CgroupPaths: r.cgroup.Paths(),
	}
}

// openOwn: a restoration's plan has no files of its own.
func (r *restoration) openOwn(f *plan.File) (*os.File, error) {
	return nil, unexpected("file " + f.String())
}

// act does what the one sync of a restoration asks for.
func (r *restoration) act(sync string) error {
	if sync != plan.SyncCgroup {
		return unexpected("sync " + sync)
	}
	return r.attach()
}

// openWorkInside opens criu's working directory in its own mount namespace:
// the kernel lets nobody mount in another's, and criu mounts there.
func (r *restoration) openWorkInside() (err error) {
	inside, err := newTreeOpener(r.stage.Pid)
	if err != nil {
		return err
	}
	defer inside.stop()
	outside := r.dirs.logs()
	if r.dirs.work, err = inside.openDir(outside); err != nil {
		return fmt.Errorf("opening the directory %s for criu: %w", outside.Name(), pathError(err))
	}
	if outside != r.dirs.images {
		outside.Close()
	}
	return nil
}

// becomeCriu lets the stage execute criu.
func (r *restoration) becomeCriu() error {
	defer r.stage.Control.Close()
	r.theirs.Close()
	talk := &conversation{control: r.stage.Control, describe: describeIn(r.plan), warn: r.runtime.warn}
	if err := talk.proceed(); err != nil {
		return err
	}
	return talk.awaitExec()
}

// restore has criu make the processes.
func (r *restoration) restore() error {
	version, err := r.session.Version()
	if err != nil {
		return err
	}
	r.runtime.debugf("criu is %s, version %v", r.program, version)
	request, err := r.request()
	if err != nil {
		return err
	}
	return r.session.Restore(request, r.heed)
}

// request says what is restored, and how. What goes by a name of the image is
// the configuration's.
func (r *restoration) request() (*criu.Restore, error) {
	o := &r.options
	inherited, err := r.inherited()
	if err != nil {
		return nil, err
	}
	if err := r.noteOutside(); err != nil {
		return nil, err
	}
	facts, err := r.bundle.facts(&r.creation.options)
	if err != nil {
		return nil, err
	}
	request := &criu.Restore{
		Options:  o.options(&r.dirs, restoreLog),
		TCPClose: o.TCPClose, LSMProfile: o.LSMProfile, LSMMountContext: o.LSMMountContext,
		CgroupRoots: r.cgroupRoots(), Inherit: inherited, Join: r.joined.join,
	}
	request.Root = filepath.Join(r.dir.Path(), restoreRoot)
	request.ConfigFile = criuConfig(r.bundle.Spec.Annotations)
	request.Mounts = restoreMounts(r.rootfs, plan.ExternalMounts(r.bundle.Spec, facts, r.planOptions()))
	return request, nil
}

// inherited are the descriptors that stand for something of the image: the
// standard streams for its pipes, and namespaces.
func (r *restoration) inherited() ([]criu.Inherited, error) {
	found, err := readPipes(r.dirs.images)
	if err != nil {
		return nil, err
	}
	var list []criu.Inherited
	for fd := range r.outlets.stdio {
		if name, ok := found[fd]; ok && r.outlets.stdio[fd] != nil {
			list = append(list, criu.Inherited{Name: name, FD: fd})
		}
	}
	for i, name := range r.joined.names {
		list = append(list, criu.Inherited{Name: name, FD: criu.SocketFD + 1 + i})
	}
	return list, nil
}

// cgroupRoots are the cgroups of criu, which is in the container's.
func (r *restoration) cgroupRoots() []criu.CgroupRoot {
	var roots []criu.CgroupRoot
	for controller, path := range r.cgroups {
		roots = append(roots, criu.CgroupRoot{Controller: controller, Path: path})
	}
	return roots
}

// endCriu waits for the end of criu, and with it of its mount namespace.
func (r *restoration) endCriu() error {
	r.session.Close()
	defer r.stage.Pidfd.Close()
	exit, err := sys.PidfdWait(r.stage.Pidfd)
	if err != nil {
		return fmt.Errorf("waiting for criu: %w", err)
	}
	if exit.Status() != 0 {
		return fmt.Errorf("criu failed: %v", exit)
	}
	if err := unix.Unlinkat(int(r.dir.File().Fd()), restoreRoot, unix.AT_REMOVEDIR); err != nil && err != unix.ENOENT {
		return fmt.Errorf("removing the mount point of the root file system: %w", err)
	}
	return nil
}

func (r *restoration) writePidFile() error {
	if r.options.PidFile == "" {
		return nil
	}
	return writePidFile(r.options.PidFile, r.pid)
}

// undo removes all that was made.
func (r *restoration) undo() {
	if r.pidfd != nil {
		sys.PidfdSignal(r.pidfd, unix.SIGKILL)
	}
	r.creation.undo()
	if r.pidfd != nil {
		sys.PidfdWait(r.pidfd)
		r.pidfd.Close()
	}
}

// close closes what only the restoration needed.
func (r *restoration) close() {
	if r.session != nil {
		r.session.Close()
		r.theirs.Close()
	}
	if r.joined != nil {
		r.joined.close()
	}
	r.dirs.close()
	if r.cgroup != nil {
		r.release()
	}
}

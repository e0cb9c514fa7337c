package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/idmap"
	"github.com/davit-containers/davit/libcontainer/plan"
)

// answerTree opens a mount tree for a stage that may not, in the stage's own
// mount namespace, where what was mounted so far is part of it.
func (m *making) answerTree(talk *conversation, s *plan.Step) error {
	name := s.Args[0].Str
	if _, err := talk.expect("sync", name); err != nil {
		return err
	}
	tree := m.plan.Trees[name]
	userns, err := m.treeUserNS(&tree)
	if err != nil {
		return err
	}
	if m.trees == nil {
		if m.trees, err = newTreeOpener(m.stage.Pid); err != nil {
			return err
		}
	}
	f, err := m.trees.open(&tree, userns)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Doing, err)
	}
	defer f.Close()
	return talk.proceed(int(f.Fd()))
}

// treeUserNS is the user namespace whose mappings the tree is to have; nil
// for a tree that is not idmapped.
func (m *making) treeUserNS(t *plan.Tree) (*os.File, error) {
	switch {
	case t.Container:
		f, err := os.Open("/proc/" + strconv.Itoa(m.stage.Pid) + "/ns/user")
		if err != nil {
			return nil, fmt.Errorf("opening the container's user namespace: %w", pathError(err))
		}
		m.files.owned = append(m.files.owned, f)
		return f, nil
	case len(t.UIDMap) > 0 || len(t.GIDMap) > 0:
		return m.mapped.UserNS(idmap.Maps{UIDs: t.UIDMap, GIDs: t.GIDMap})
	default:
		return nil, nil
	}
}

// treeOpener is a thread in another process's mount namespace.
type treeOpener struct {
	requests chan func()
	started  chan error
}

// newTreeOpener starts the thread. It is never used for anything else: a
// thread that has changed its namespace ends with its goroutine.
func newTreeOpener(pid int) (*treeOpener, error) {
	t := &treeOpener{make(chan func()), make(chan error)}
	go t.serve(pid)
	return t, <-t.started
}

func (t *treeOpener) serve(pid int) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		t.serveElsewhere(pid)
		return
	}
	err := enterMountNS(pid)
	t.started <- err
	if err != nil {
		return
	}
	for request := range t.requests {
		request()
	}
}

// serveElsewhere leaves the main thread as it is: /proc/self shows its
// namespaces, and it does not end with a goroutine.
func (t *treeOpener) serveElsewhere(pid int) {
	taken := make(chan struct{})
	go func() {
		runtime.LockOSThread() // another one: this is held until then
		close(taken)
		t.serve(pid)
	}()
	<-taken
	runtime.UnlockOSThread()
}

func enterMountNS(pid int) error {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/mnt")
	if err != nil {
		return fmt.Errorf("opening the container's mount namespace: %w", pathError(err))
	}
	defer f.Close()
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("leaving the shared working directory: %w", err)
	}
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("joining the container's mount namespace: %w", err)
	}
	return nil
}

func (t *treeOpener) stop() { close(t.requests) }

func (t *treeOpener) open(tree *plan.Tree, userns *os.File) (f *os.File, err error) {
	t.do(func() { f, err = openTree(tree, userns) })
	return f, err
}

// openDir opens the directory that another descriptor was opened as, in this
// mount namespace.
func (t *treeOpener) openDir(same *os.File) (f *os.File, err error) {
	t.do(func() { f, err = openDir(same.Name()) })
	if err != nil {
		return nil, err
	}
	var a, b unix.Stat_t
	if unix.Fstat(int(f.Fd()), &a) != nil || unix.Fstat(int(same.Fd()), &b) != nil || a.Dev != b.Dev || a.Ino != b.Ino {
		f.Close()
		return nil, errors.New("it is another one by now")
	}
	return f, nil
}

func (t *treeOpener) do(request func()) {
	done := make(chan struct{})
	t.requests <- func() {
		request()
		close(done)
	}
	<-done
}

// openTree clones a mount tree and idmaps it.
// Linux 5.12: mount_setattr(2).
func openTree(tree *plan.Tree, userns *os.File) (*os.File, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if tree.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	if tree.NoFollow {
		flags |= unix.AT_SYMLINK_NOFOLLOW
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, tree.Source, flags)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), tree.Source)
	if userns == nil {
		return f, nil
	}
	if err := mapTree(f, userns, tree.MapRecursive); err != nil {
		f.Close()
		return nil, fmt.Errorf("mapping its ids: %w [the file system must support idmapped mounts]", err)
	}
	return f, nil
}

func mapTree(f, userns *os.File, recursive bool) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userns.Fd())}
	flags := uint(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	return unix.MountSetattr(int(f.Fd()), "", flags, &attr)
}

package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/network"
)

// Networks are the names that Options.Network and RUN --network take: those that are
// no network's.
const (
	NoNetwork      = "none"
	HostNetwork    = "host"
	DefaultNetwork = "default"
)

// nets are places in the default network, each for one program at a time. They are made
// when programs want them, and stay until the build ends: to make one takes longer
// than most programs run.
type nets struct {
	mu   sync.Mutex
	free []*connection
	all  []*connection
}

// connection is a network namespace that is attached.
type connection struct {
	id    string
	ns    *os.File
	files network.Files
}

// networks opens the store's networks.
func networks(root string) (*network.Store, error) {
	return network.Open(filepath.Join(root, "networks"), network.Options{})
}

// connected is a place for one program, until release.
func (b *builder) connected(ctx context.Context) (*connection, error) {
	b.nets.mu.Lock()
	defer b.nets.mu.Unlock()
	if n := len(b.nets.free); n > 0 {
		p := b.nets.free[n-1]
		b.nets.free = b.nets.free[:n-1]
		return p, nil
	}
	p, err := b.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to the network: %w", err)
	}
	b.nets.all = append(b.nets.all, p)
	return p, nil
}

// release has the next program take the place.
func (b *builder) release(p *connection) {
	b.nets.mu.Lock()
	defer b.nets.mu.Unlock()
	b.nets.free = append(b.nets.free, p)
}

func (b *builder) connect(ctx context.Context) (*connection, error) {
	s, err := networks(b.o.Store.Root())
	if err != nil {
		return nil, err
	}
	dir, err := b.work.Scratch()
	if err != nil {
		return nil, err
	}
	p := &connection{
		id:    b.id + "-" + strconv.Itoa(len(b.nets.all)),
		files: network.Files{Dir: dir, Kind: network.Named, Hostname: hostName, Hosts: b.o.Hosts},
	}
	if p.ns, err = newNamespace(); err != nil {
		return nil, err
	}
	_, err = s.Attach(context.WithoutCancel(ctx), network.Request{
		Container: p.id, Namespace: p.path(), Names: []string{p.id}, Networks: []network.Join{{Network: network.DefaultName}}, Files: &p.files,
	})
	if err != nil {
		return nil, errors.Join(err, p.ns.Close())
	}
	return p, nil
}

// path is by which the runtime finds the namespace, while this process has it open.
func (p *connection) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), p.ns.Fd()) }

// newNamespace is a network namespace with nothing in it.
func newNamespace() (f *os.File, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and the thread ends with the goroutine
		if err = os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_NEWNET)); err == nil {
			f, err = os.Open("/proc/thread-self/ns/net")
		}
	}()
	<-done
	return f, err
}

// disconnect ends what connected began.
func (b *builder) disconnect() error {
	if len(b.nets.all) == 0 {
		return nil
	}
	s, err := networks(b.o.Store.Root())
	errs := []error{err}
	for _, p := range b.nets.all {
		if err == nil {
			errs = append(errs, s.Detach(context.Background(), p.id))
		}
		errs = append(errs, p.ns.Close())
	}
	return errors.Join(errs...)
}

// detachDead ends the places of a build that was killed.
func detachDead(root, build string) error {
	if _, err := os.Lstat(filepath.Join(root, "networks")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s, err := networks(root)
	if err != nil {
		return err
	}
	all, err := s.Attachments()
	for _, a := range all {
		if strings.HasPrefix(a.Container, build+"-") {
			err = errors.Join(err, s.Detach(context.Background(), a.Container))
		}
	}
	return err
}

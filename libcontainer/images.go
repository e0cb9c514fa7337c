package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/criu"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// ImageOptions are what a caller says of a checkpoint's image, to write it and
// to read it. Paths are the host's.
type ImageOptions struct {
	Images         string // the directory of the image files
	Work           string // the directory of criu's log and statistics; "" is Images
	TCPEstablished bool   // keep established TCP connections
	ExtUnixSockets bool   // keep unix sockets whose other end is outside
	ShellJob       bool   // the processes belong to a terminal outside
	FileLocks      bool   // keep file locks
	AutoDedup      bool   // give back the space of pages that a later image has
	LazyPages      bool   // memory pages are copied when they are wanted
	Cgroups        criu.CgroupMode
	NetworkLock    criu.NetworkLock
}

// imageDirs are the directories of an image while it is in use.
type imageDirs struct {
	images, work *os.File // work is nil where it is images
}

func (d *imageDirs) close() { sys.CloseAll([]*os.File{d.images, d.work}) }

// logs is the directory of criu's log.
func (d *imageDirs) logs() *os.File {
	if d.work != nil {
		return d.work
	}
	return d.images
}

// openWork opens the directory for criu's log, made if need be, and takes away
// what would be overwritten there: criu follows links.
func (d *imageDirs) openWork(o *ImageOptions, files ...string) (err error) {
	if o.Work != "" {
		if d.work, err = openMade(o.Work); err != nil {
			return fmt.Errorf("opening the work directory %s: %w", o.Work, pathError(err))
		}
	}
	logs := d.logs()
	for _, name := range files {
		err := unix.Unlinkat(int(logs.Fd()), name, 0)
		if err != nil && err != unix.ENOENT {
			return fmt.Errorf("removing an old %s: %w", filepath.Join(logs.Name(), name), err)
		}
	}
	return nil
}

// openMade opens a directory, and makes it first where it is missing.
func openMade(path string) (*os.File, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	return openDir(path)
}

// openDir opens a directory by its absolute path, for messages to name it so.
func openDir(path string) (*os.File, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return os.OpenFile(abs, os.O_RDONLY|unix.O_DIRECTORY, 0)
}

// options are criu's that follow from them.
func (o *ImageOptions) options(d *imageDirs, log string) criu.Options {
	return criu.Options{
		Images: d.images, Work: d.work, LogFile: log,
		TCPEstablished: o.TCPEstablished, ExtUnixSockets: o.ExtUnixSockets, ShellJob: o.ShellJob,
		FileLocks: o.FileLocks, AutoDedup: o.AutoDedup, LazyPages: o.LazyPages,
		Cgroups: o.Cgroups, NetworkLock: o.NetworkLock,
		// Compat(runc): what is in a network namespace is not the runtime's.
		EmptyNetwork: true,
	}
}

// criuConfig is the file of criu's options that go before ours: the one that
// the annotation names, none where it is empty, or the administrator's.
// Compat(runc): its annotation, and its file where there is none of ours.
func criuConfig(annotations map[string]string) string {
	if file, found := annotations["org.criu.config"]; found {
		return file
	}
	if ours := "/etc/criu/davit.conf"; exists(ours) {
		return ours
	}
	return "/etc/criu/runc.conf"
}

// descriptorsFile lists, in an image, what the first process's standard
// streams were: a JSON array of names as in /proc/PID/fd.
// Compat(runc), Compat(crun): the file and its name.
const descriptorsFile = "descriptors.json"

// maxDescriptors bounds that file, in bytes.
const maxDescriptors = 64 << 10

// noPipes is its content where none of the streams is a pipe.
const noPipes = `["","",""]`

// pipes gives that content for streams, naming those that are pipes; nil where
// none is.
func pipes(stdio [3]*os.File) []byte {
	var names [3]string
	found := false
	for i, f := range stdio {
		var st unix.Stat_t
		if f != nil && unix.Fstat(int(f.Fd()), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO {
			names[i] = "pipe:[" + strconv.FormatUint(st.Ino, 10) + "]"
			found = true
		}
	}
	if !found {
		return nil
	}
	return []byte(`["` + strings.Join(names[:], `","`) + `"]`)
}

// readPipes reads which of the image's streams were pipes, to be connected
// with the streams of now. The image may be anyone's: what does not look like a
// pipe is left out.
func readPipes(images *os.File) (map[int]string, error) {
	data, err := readImageFile(images, descriptorsFile, maxDescriptors)
	if err != nil {
		return nil, fmt.Errorf("reading %s of the image %s: %w [is it a checkpoint?]", descriptorsFile, images.Name(), err)
	}
	var names []string
	if err := json.Unmarshal(data, &names); err != nil {
		return nil, fmt.Errorf("reading %s of the image %s: %w", descriptorsFile, images.Name(), err)
	}
	found := map[int]string{}
	for i := range min(len(names), 3) {
		if isPipe(names[i]) {
			found[i] = names[i]
		}
	}
	return found, nil
}

func isPipe(name string) bool {
	number, ok := strings.CutPrefix(name, "pipe:[")
	if !ok || !strings.HasSuffix(number, "]") {
		return false
	}
	_, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 32)
	return err == nil
}

// readImageFile reads a regular file of bounded size, and follows no link.
func readImageFile(dir *os.File, name string, most int64) ([]byte, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, pathError(err)
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("not a regular file of at most %d bytes", most)
	}
	return io.ReadAll(io.LimitReader(f, most))
}

// maxParents bounds the chain of images of which each has only what its parent
// has not.
const maxParents = 64

// parentLink leads from an image to the one before it.
const parentLink = "parent"

// lazySocket is the one socket that an image's directory may have: of criu's
// daemon that serves the pages.
const lazySocket = "lazy-pages.socket"

// checkImages refuses an image that is not made of regular files: criu opens
// them with root's rights, and a link among them would bring a file of the host
// into the container. Of its directories, one may be its parent, and one criu's
// working directory. A directory that someone can change meanwhile is no image
// to restore.
// CVE-2026-53489: a link in a checkpoint is followed on the host.
func checkImages(images, work *os.File) error {
	dir := images
	for range maxParents {
		parent, err := checkImageDir(dir, work)
		if err != nil {
			return fmt.Errorf("checking the image %s: %w", dir.Name(), err)
		}
		if parent == nil {
			return nil
		}
		defer parent.Close()
		dir = parent
	}
	return fmt.Errorf("checking the image %s: it has more than %d parents", images.Name(), maxParents)
}

// checkImageDir checks one directory, and opens its parent if it has one.
func checkImageDir(dir, work *os.File) (parent *os.File, err error) {
	names, err := listDir(dir)
	if err != nil {
		return nil, err
	}
	if slices.Contains(names, parentLink) {
		if parent, err = openParent(dir); err != nil {
			return nil, fmt.Errorf("opening the image's parent: %w", err)
		}
	}
	for _, name := range names {
		if name == parentLink {
			continue
		}
		if err := checkImageFile(dir, name, parent, work); err != nil {
			sys.CloseAll([]*os.File{parent})
			return nil, err
		}
	}
	return parent, nil
}

// listDir lists a directory, whatever has its name by now.
func listDir(dir *os.File) ([]string, error) {
	fd, err := unix.Openat(int(dir.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), dir.Name())
	defer f.Close()
	names, err := f.Readdirnames(-1)
	return names, pathError(err)
}

// openParent opens what criu opens as an image's parent: a directory, or what a
// relative link leads to, as criu writes it. What is there is checked in turn; a
// link into /proc could lead criu to another place.
func openParent(dir *os.File) (*os.File, error) {
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(dir.Fd()), parentLink, target)
	if err == nil && n > 0 && target[0] == '/' {
		return nil, errors.New("it leads to an absolute path")
	}
	if err != nil && err != unix.EINVAL { // EINVAL: it is no link
		return nil, err
	}
	fd, err := unix.Openat2(int(dir.Fd()), parentLink, &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), filepath.Join(dir.Name(), parentLink)), nil
}

// checkImageFile wants a regular file, a directory that is in use, or criu's socket.
func checkImageFile(dir *os.File, name string, used ...*os.File) error {
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("looking at %s: %w", name, err)
	}
	switch kind := st.Mode & unix.S_IFMT; {
	case kind == unix.S_IFREG, kind == unix.S_IFSOCK && name == lazySocket:
		return nil
	case kind == unix.S_IFDIR && slices.ContainsFunc(used, func(f *os.File) bool { return isFile(f, &st) }):
		return nil
	}
	return fmt.Errorf("%s is not a regular file", name)
}

// isFile tells whether a file, which may be nil, is the one of st.
func isFile(f *os.File, st *unix.Stat_t) bool {
	var of unix.Stat_t
	return f != nil && unix.Fstat(int(f.Fd()), &of) == nil && of.Dev == st.Dev && of.Ino == st.Ino
}

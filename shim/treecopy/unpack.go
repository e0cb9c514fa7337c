package treecopy

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// unpacker writes the entries of an archive below a directory.
type unpacker struct {
	r       *tar.Reader
	to      Place
	dir     *os.File // below which everything is written
	at      string   // its path in the place, by which links of a container are resolved
	archive bool     // owners and attributes are kept
	open    []opened // directories that this made, one below the other
	bytes   int64
}

// opened is a directory that was made, which gets its mode and times when all
// that is in it is there.
type opened struct {
	name string
	f    *os.File
	h    *tar.Header
}

// unpack writes all entries.
func (u *unpacker) unpack() (err error) {
	defer func() { err = errors.Join(err, u.leave("")) }()
	for {
		h, err := u.r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading archive: %w", err)
		}
		name, err := clean(h.Name)
		if err == nil {
			err = errors.Join(u.leave(name), u.entry(name, h))
		}
		if err != nil {
			return naming(h.Name, err)
		}
	}
}

// clean is the name of an entry, relative to the directory; "" is the directory.
func clean(name string) (string, error) {
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New("its path has a ..")
		}
	}
	if strings.ContainsRune(name, 0) {
		return "", errors.New("its path has a NUL byte")
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/"), nil
}

// leave finishes the directories that an entry is not below.
func (u *unpacker) leave(name string) (err error) {
	for len(u.open) > 0 {
		last := u.open[len(u.open)-1]
		if name != "" && strings.HasPrefix(name, last.name+"/") {
			break
		}
		err = errors.Join(err, u.finish(last.f, last.h), last.f.Close())
		u.open = u.open[:len(u.open)-1]
	}
	return err
}

// entry writes one.
func (u *unpacker) entry(name string, h *tar.Header) error {
	if name == "" {
		return nil // the directory itself stays as it is
	}
	parent, err := u.parent(path.Dir(name))
	if err != nil {
		return err
	}
	defer parent.Close()
	base := path.Base(name)
	switch h.Typeflag {
	case tar.TypeDir:
		return u.directory(parent, base, name, h)
	case tar.TypeReg, tar.TypeGNUSparse:
		return u.regular(parent, base, h)
	case tar.TypeSymlink, tar.TypeLink, tar.TypeFifo, tar.TypeChar, tar.TypeBlock:
		return u.special(parent, base, h)
	case tar.TypeXGlobalHeader:
		return nil
	}
	return fmt.Errorf("entries of type %q are not known", h.Typeflag)
}

// parent opens the directory of an entry. On the host no link is followed below
// the directory: a container could have made it. In a container links lead where
// they lead there.
func (u *unpacker) parent(name string) (*os.File, error) {
	if name == "." {
		return child(u.dir, ".")
	}
	f, err := u.directoryAt(name)
	if !errors.Is(err, unix.ENOENT) {
		return f, err
	}
	above, err := u.parent(path.Dir(name))
	if err != nil {
		return nil, err
	}
	defer above.Close()
	if err := u.mkdir(above, path.Base(name), 0o755); err != nil {
		return nil, err
	}
	return u.directoryAt(name)
}

// directoryAt opens a directory below the one that is written to.
func (u *unpacker) directoryAt(name string) (*os.File, error) {
	f, err := openHow(u.dir, name, unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_MAGICLINKS)
	if errors.Is(err, unix.ELOOP) && u.to.Confined {
		return openHow(u.to.Root, path.Join("/", u.at, name), unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
	}
	return f, err
}

// mkdir makes a directory that no entry describes.
func (u *unpacker) mkdir(parent *os.File, base string, mode uint32) error {
	if err := unix.Mkdirat(int(parent.Fd()), base, mode); err != nil {
		return os.NewSyscallError("mkdir", err)
	}
	f, err := openHow(parent, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, unix.RESOLVE_BENEATH)
	if err != nil {
		return err
	}
	defer f.Close()
	if o := u.to.Owner; o != nil {
		if err := f.Chown(o.UID, o.GID); err != nil {
			return err
		}
	}
	return os.NewSyscallError("chmod", unix.Fchmod(int(f.Fd()), mode))
}

// directory makes a directory, or takes the one that is there, which stays as it is.
func (u *unpacker) directory(parent *os.File, base, name string, h *tar.Header) error {
	err := unix.Mkdirat(int(parent.Fd()), base, 0o700)
	if err == unix.EEXIST {
		f, err := u.directoryAt(name)
		if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOENT) {
			return errors.New("cannot overwrite non-directory with directory") // Compat(moby): its words
		}
		if err == nil {
			f.Close()
		}
		return err
	}
	if err != nil {
		return os.NewSyscallError("mkdir", err)
	}
	f, err := openHow(parent, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, unix.RESOLVE_BENEATH)
	if err != nil {
		return err
	}
	if len(u.open) > maxDepth {
		f.Close()
		return fmt.Errorf("directories are nested more than %d deep", maxDepth)
	}
	u.open = append(u.open, opened{name, f, h})
	return nil
}

// makeWay removes what is in the way of a file; inPlace tells that it is a mount
// point, whose content can be written only.
//
// Linux 3.18: removing a file takes away what another namespace has mounted on it.
func makeWay(parent *os.File, base string) (inPlace bool, err error) {
	there, err := child(parent, base)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer there.Close()
	if inPlace, err = isMount(there); err != nil || inPlace {
		return inPlace, err
	}
	err = unix.Unlinkat(int(parent.Fd()), base, 0)
	switch err {
	case nil, unix.ENOENT:
		return false, nil
	case unix.EISDIR:
		return false, errors.New("cannot overwrite directory with non-directory") // Compat(moby): its words
	case unix.EBUSY:
		return true, nil
	}
	return false, os.NewSyscallError("unlink", err)
}

// isMount tells whether a handle is the root of a mount.
func isMount(handle *os.File) (bool, error) {
	var st unix.Statx_t
	err := unix.Statx(int(handle.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &st)
	return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, os.NewSyscallError("statx", err)
}

// regular writes a regular file in place of what is there.
func (u *unpacker) regular(parent *os.File, base string, h *tar.Header) error {
	inPlace, err := makeWay(parent, base)
	if err != nil {
		return err
	}
	if inPlace {
		return u.overwrite(parent, base, h)
	}
	f, err := openNew(parent, base)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := u.content(f, h); err != nil {
		return err
	}
	return u.finish(f, h)
}

// openNew makes a file, which is nobody's until it has its owner and mode.
func openNew(parent *os.File, base string) (*os.File, error) {
	for {
		fd, err := unix.Openat(int(parent.Fd()), base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err == nil {
			return os.NewFile(uintptr(fd), base), nil
		}
		if err != unix.EINTR {
			return nil, &os.PathError{Op: "creating", Path: base, Err: err}
		}
	}
}

func (u *unpacker) content(f *os.File, h *tar.Header) error {
	n, err := io.Copy(f, u.r)
	u.bytes += n
	if err == nil && n != h.Size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// overwrite gives a file that has to stay another content.
func (u *unpacker) overwrite(parent *os.File, base string, h *tar.Header) error {
	handle, err := child(parent, base)
	if err != nil {
		return err
	}
	defer handle.Close()
	return u.into(handle, h)
}

// into writes the content of the file behind a handle.
func (u *unpacker) into(handle *os.File, h *tar.Header) error {
	st, err := stat(handle)
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return errors.New("cannot overwrite what is no regular file")
	}
	f, err := reopen(handle, unix.O_WRONLY|unix.O_TRUNC)
	if err != nil {
		return err
	}
	defer f.Close()
	return u.content(f, h)
}

// special makes what has no content.
func (u *unpacker) special(parent *os.File, base string, h *tar.Header) error {
	if (h.Typeflag == tar.TypeChar || h.Typeflag == tar.TypeBlock) && !u.to.Confined {
		return errors.New("it is a device, which is not copied to the host")
	}
	if inPlace, err := makeWay(parent, base); err != nil || inPlace {
		return errors.Join(err, errors.New("it is a mount point"))
	}
	if err := u.make(parent, base, h); err != nil || h.Typeflag == tar.TypeLink {
		return err
	}
	handle, err := child(parent, base)
	if err != nil {
		return err
	}
	defer handle.Close()
	return u.finish(handle, h)
}

func (u *unpacker) make(parent *os.File, base string, h *tar.Header) error {
	fd := int(parent.Fd())
	switch h.Typeflag {
	case tar.TypeSymlink:
		return os.NewSyscallError("symlink", unix.Symlinkat(h.Linkname, fd, base))
	case tar.TypeLink:
		return u.link(parent, base, h.Linkname)
	case tar.TypeFifo:
		return os.NewSyscallError("mkfifo", unix.Mknodat(fd, base, unix.S_IFIFO|0o600, 0))
	}
	kind := uint32(unix.S_IFCHR)
	if h.Typeflag == tar.TypeBlock {
		kind = unix.S_IFBLK
	}
	return os.NewSyscallError("mknod", unix.Mknodat(fd, base, kind|0o600, int(unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor)))))
}

// link gives a file of the archive another name.
func (u *unpacker) link(parent *os.File, base, target string) error {
	target, err := clean(target)
	if err != nil || target == "" {
		return errors.Join(errors.New("its link leads nowhere"), err)
	}
	dir, err := u.parent(path.Dir(target))
	if err != nil {
		return err
	}
	defer dir.Close()
	return os.NewSyscallError("link", unix.Linkat(int(dir.Fd()), path.Base(target), int(parent.Fd()), base, 0))
}

// finish gives a new file its owner, attributes, mode and times, in this order: a
// new owner takes capabilities and the set-id bits away. It may be a handle.
func (u *unpacker) finish(f *os.File, h *tar.Header) error {
	fd := int(f.Fd())
	if o := u.owner(h); o != nil {
		if err := unix.Fchownat(fd, "", o.UID, o.GID, unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return os.NewSyscallError("chown", err)
		}
	}
	if err := u.attributes(f, h); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeSymlink {
		if err := unix.Chmod(procPath(f), u.mode(h)); err != nil {
			return os.NewSyscallError("chmod", err)
		}
	}
	at := unix.NsecToTimespec(h.ModTime.UnixNano())
	err := unix.UtimesNanoAt(fd, "", []unix.Timespec{at, at}, unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW)
	return os.NewSyscallError("utimensat", err)
}

// owner is who has a file.
func (u *unpacker) owner(h *tar.Header) *Owner {
	if u.archive {
		return &Owner{u.to.UIDs.Out(h.Uid), u.to.GIDs.Out(h.Gid)}
	}
	return u.to.Owner
}

// mode is a file's, without the set-id bits where it gets another owner: on the
// host, a program of the container's would run as whoever copied it.
func (u *unpacker) mode(h *tar.Header) uint32 {
	if u.archive {
		return uint32(h.Mode & 0o7777)
	}
	return uint32(h.Mode & 0o1777)
}

func (u *unpacker) attributes(f *os.File, h *tar.Header) error {
	if !u.archive {
		return nil
	}
	for record, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(record, xattrRecord)
		if !ok || !kept(name) {
			continue
		}
		if err := unix.Setxattr(procPath(f), name, []byte(value), 0); err != nil && err != unix.ENOTSUP {
			return os.NewSyscallError("setxattr", err)
		}
	}
	return nil
}

package treecopy

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxDepth is how deep directories may be nested; each level keeps two
// descriptors open.
const maxDepth = 400

// inode is what several names of one file have in common.
type inode struct{ dev, ino uint64 }

// packer writes a tree to an archive.
type packer struct {
	w       *tar.Writer
	from    Place
	archive bool             // owners and attributes are kept
	links   map[inode]string // files with several names, to the first in the archive
	bytes   int64
}

// pack writes what is behind a handle to an archive, under a name; "" is for what
// is in a directory, without itself.
func (p *packer) pack(handle *os.File, name string) error {
	if err := p.file(handle, name, 0); err != nil {
		return err
	}
	return p.w.Close()
}

func (p *packer) file(handle *os.File, name string, depth int) error {
	st, err := stat(handle)
	if err != nil {
		return err
	}
	if name != "" {
		if st.Mode&unix.S_IFMT == unix.S_IFSOCK {
			return nil // nobody listens at a copy
		}
		if err := p.entry(handle, name, st); err != nil {
			return naming(name, err)
		}
	}
	if isDir(st) {
		return p.children(handle, name, depth)
	}
	return nil
}

// naming says which file an error is about.
func naming(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("copying %.200s: %w", name, err)
}

// children writes what is in a directory.
func (p *packer) children(handle *os.File, name string, depth int) error {
	if depth > maxDepth {
		return naming(name, fmt.Errorf("directories are nested more than %d deep", maxDepth))
	}
	dir, err := reopen(handle, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return naming(name, err)
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(256)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return naming(name, err)
		}
		for _, n := range names {
			if err := p.child(dir, n, path.Join(name, n), depth); err != nil {
				return err
			}
		}
	}
}

func (p *packer) child(dir *os.File, base, name string, depth int) error {
	handle, err := child(dir, base)
	if errors.Is(err, unix.ENOENT) {
		return nil // it was removed meanwhile
	}
	if err != nil {
		return err
	}
	defer handle.Close()
	return p.file(handle, name, depth+1)
}

// entry writes one file.
func (p *packer) entry(handle *os.File, name string, st unix.Stat_t) error {
	h := &tar.Header{
		Format: tar.FormatPAX, Name: name, Mode: int64(st.Mode & 0o7777), ModTime: time.Unix(st.Mtim.Unix()),
		Uid: p.from.UIDs.In(int(st.Uid)), Gid: p.from.GIDs.In(int(st.Gid)),
	}
	if first, linked := p.links[inode{st.Dev, st.Ino}]; linked {
		h.Typeflag, h.Linkname = tar.TypeLink, first
		return p.w.WriteHeader(h)
	}
	if st.Nlink > 1 && !isDir(st) {
		p.links[inode{st.Dev, st.Ino}] = name
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return p.regular(handle, h, st)
	case unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
	case unix.S_IFLNK:
		target, err := readlink(handle)
		if err != nil {
			return err
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, target
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	default:
		h.Typeflag, h.Devmajor, h.Devminor = tar.TypeChar, int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
		if st.Mode&unix.S_IFMT == unix.S_IFBLK {
			h.Typeflag = tar.TypeBlock
		}
	}
	if err := p.attributes(handle, h); err != nil {
		return err
	}
	return p.w.WriteHeader(h)
}

// regular writes a regular file, of the size that it has now: one that grows is
// cut, one that shrinks ends in zeros.
func (p *packer) regular(handle *os.File, h *tar.Header, st unix.Stat_t) error {
	f, err := reopen(handle, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	h.Typeflag, h.Size = tar.TypeReg, st.Size
	if err := p.attributes(handle, h); err != nil {
		return err
	}
	if err := p.w.WriteHeader(h); err != nil {
		return err
	}
	n, err := io.CopyN(p.w, f, st.Size)
	p.bytes += n
	if errors.Is(err, io.EOF) {
		_, err = io.CopyN(p.w, zeros{}, st.Size-n)
	}
	return err
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// readlink is the target of a link behind a handle.
func readlink(handle *os.File) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(handle.Fd()), "", buf)
	return string(buf[:max(0, n)]), os.NewSyscallError("readlink", err)
}

// xattrRecord begins the names of attributes in an archive.
const xattrRecord = "SCHILY.xattr."

// maxXattr is how long a list of names, or a value, may be: as long as the kernel
// allows.
const maxXattr = 64 << 10

// kept tells whether an extended attribute goes with its file: others belong to
// the place where it is.
func kept(name string) bool {
	return name == "security.capability" || strings.HasPrefix(name, "system.posix_acl_") ||
		strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "user.overlay.")
}

// attributes adds the extended attributes to a header, where they are kept.
func (p *packer) attributes(handle *os.File, h *tar.Header) error {
	if !p.archive || h.Typeflag == tar.TypeSymlink {
		return nil
	}
	list := make([]byte, maxXattr)
	n, err := unix.Listxattr(procPath(handle), list)
	if err == unix.ENOTSUP || err == nil && n == 0 {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("listxattr", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(list[:n]), "\x00"), "\x00") {
		if !kept(name) {
			continue
		}
		value := make([]byte, maxXattr)
		n, err := unix.Getxattr(procPath(handle), name, value)
		if err == unix.ENODATA {
			continue // it was removed meanwhile
		}
		if err != nil {
			return os.NewSyscallError("getxattr", err)
		}
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords[xattrRecord+name] = string(value[:n])
	}
	return nil
}

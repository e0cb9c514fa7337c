package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"path"

	"golang.org/x/sys/unix"
)

// digest stands for what copying sources gives, but for times: names, kinds,
// modes, contents, and where they are kept, owners.
func digest(sources []*source) (string, error) {
	sum := sha256.New()
	buf := make([]byte, 256<<10)
	for _, s := range sources {
		fmt.Fprintf(sum, "source %q %v\n", s.name, s.isDir())
		for i := range s.entries {
			if err := s.hash(sum, &s.entries[i], buf); err != nil {
				return "", fmt.Errorf("reading %s: %w", path.Join(s.rel, s.entries[i].path), err)
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// hash adds one file.
func (s *source) hash(to hash.Hash, e *entry, buf []byte) error {
	fmt.Fprintf(to, "%q %o", e.path, e.stat.Mode)
	if s.tree.owned {
		fmt.Fprintf(to, " %d:%d", e.stat.Uid, e.stat.Gid)
	}
	switch e.kind() {
	case unix.S_IFLNK:
		fmt.Fprintf(to, " %q", e.link)
	case unix.S_IFCHR, unix.S_IFBLK:
		fmt.Fprintf(to, " %d", e.stat.Rdev)
	case unix.S_IFREG:
		fmt.Fprintf(to, " %d\n", e.stat.Size)
		file, err := s.regular(e)
		if err != nil {
			return err
		}
		defer file.Close()
		n, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{file}, buf)
		if err == nil && n != e.stat.Size {
			err = fmt.Errorf("it changed while it was read")
		}
		return err
	}
	_, err := to.Write([]byte{'\n'})
	return err
}

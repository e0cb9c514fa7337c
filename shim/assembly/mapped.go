package assembly

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/davit-containers/davit/shim/links"
)

// mapped tells whether the container's root is another user of the host's.
func (b *building) mapped() bool { return len(b.Options.UIDMappings) > 0 && !b.Inside }

// admit lets the root of a container's user namespace pass to its bundle, which
// alone it may look into: what is beside is searchable by nobody, or has no more
// in it than names.
func (b *building) admit() error {
	if !b.mapped() {
		return nil
	}
	root := b.Containers.Root()
	fi, err := os.Stat(root)
	if err != nil || fi.Mode().Perm()&0o011 == 0o011 {
		return err
	}
	return os.Chmod(root, fi.Mode().Perm()|0o011)
}

// give has the container's root own the volumes in which nothing is, and which
// nobody owns but the host's root: others are somebody's.
func (b *building) give() error {
	if !b.mapped() || len(b.record().Volumes) == 0 {
		return nil
	}
	s, err := links.OpenVolumes(b.Containers.Root())
	if err != nil {
		return err
	}
	for _, v := range b.record().Volumes {
		found, err := s.Get(v.Name)
		if err == nil {
			err = b.giveDir(found.Path)
		}
		if err != nil {
			return fmt.Errorf("volume on %s: %w", v.Destination, err)
		}
	}
	return nil
}

func (b *building) giveDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	fi, err := dir.Stat()
	if err != nil {
		return err
	}
	_, err = dir.Readdirnames(1)
	if owner := fi.Sys().(*syscall.Stat_t); !errors.Is(err, io.EOF) || owner.Uid != 0 || owner.Gid != 0 {
		return nil
	}
	uid, gid := -1, -1
	for _, m := range b.Options.UIDMappings {
		if m.ContainerID == 0 {
			uid = int(m.HostID)
		}
	}
	for _, m := range b.Options.GIDMappings {
		if m.ContainerID == 0 {
			gid = int(m.HostID)
		}
	}
	return dir.Chown(uid, gid)
}

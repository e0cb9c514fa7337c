package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// volatileMark is the directory, below the work directory, that overlayfs
	// makes for a volatile mount and never removes.
	volatileMark = "work/incompat/volatile"
	// bootRecord is our file beside it: the boot in which the mount was made.
	bootRecord = "boot"
)

// settleVolatile lets a writable layer be mounted again that was volatile. It
// may be, as long as the machine has not gone down since: what was written is
// in the kernel's memory at least. Otherwise it fails with ErrVolatile.
func settleVolatile(s Spec) error {
	if s.Upper == "" {
		return nil
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return fmt.Errorf("reading the boot's id: %w", err)
	}
	mark, record := filepath.Join(s.Work, volatileMark), filepath.Join(s.Work, bootRecord)
	if _, err := os.Lstat(mark); err == nil {
		written, err := os.ReadFile(record)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if strings.TrimSpace(string(written)) != strings.TrimSpace(string(boot)) {
			return ErrVolatile
		}
		if err := Remove(mark); err != nil {
			return err
		}
	}
	if !s.Volatile {
		return nil
	}
	return writeRecord(record, boot)
}

// writeRecord writes a small file whole or not at all. It need not survive the
// machine: a record that was lost is one of another boot.
func writeRecord(name string, data []byte) error {
	temporary := name + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(temporary, name)
}

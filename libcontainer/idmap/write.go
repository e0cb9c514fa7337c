package idmap

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// Write gives the user namespace of the process pid, a child not yet waited
// for that made it and has no mappings, its mappings. proc is a descriptor of
// a procfs's root that is known to be one. An empty list is not written. EPERM
// and EINVAL come with the likely reason in brackets.
func Write(proc *os.File, pid int, m Maps, ways Ways) error {
	if err := writeKind(proc, pid, uids, m.UIDs, ways.UIDs); err != nil {
		return err
	}
	return writeKind(proc, pid, gids, m.GIDs, ways.GIDs)
}

func writeKind(proc *os.File, pid int, k kind, ids []specs.LinuxIDMapping, how How) error {
	if len(ids) == 0 {
		return nil
	}
	if how == Helper {
		return runHelper(pid, k, ids)
	}
	dir, err := openBeneath(proc, strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("opening /proc/%d: %w", pid, errors.Unwrap(err))
	}
	defer dir.Close()
	if how == Self && k == gids {
		if err := writeFile(dir, "setgroups", "deny"); err != nil {
			return fmt.Errorf("denying setgroups in the user namespace: %w", err)
		}
	}
	return writeMap(dir, k, ids, how)
}

// kind is what is mapped, and the names that go with it.
type kind struct{ word, file, capability, helper, allowed string }

var (
	uids = kind{"uids", "uid_map", "CAP_SETUID", "newuidmap", "/etc/subuid"}
	gids = kind{"gids", "gid_map", "CAP_SETGID", "newgidmap", "/etc/subgid"}
)

func writeMap(dir *os.File, k kind, ids []specs.LinuxIDMapping, how How) error {
	err := writeFile(dir, k.file, lines(ids))
	if err == nil {
		return nil
	}
	return fmt.Errorf("mapping %s %s: %w%s", k.word, text(ids), err, hint(err, k, ids, how))
}

// hint is the reason behind an errno, as far as it can be known.
func hint(err error, k kind, ids []specs.LinuxIDMapping, how How) string {
	switch {
	case errors.Is(err, unix.EINVAL):
		return " [ranges overlap, are empty, or are more than 340]"
	case errors.Is(err, unix.EACCES):
		return " [the process is not dumpable]"
	case !errors.Is(err, unix.EPERM):
		return ""
	case how == Self && mapsRoot(ids):
		return " [mapping host id 0 needs CAP_SETFCAP]"
	case how == Self:
		return " [without privileges only one's own id can be mapped: more need " + k.helper + " and a range in " + k.allowed + "]"
	case mapsRoot(ids):
		return " [needs " + k.capability + ", and for host id 0 CAP_SETFCAP]"
	}
	return " [needs " + k.capability + ", and host ids that this user namespace has]"
}

func mapsRoot(ids []specs.LinuxIDMapping) bool {
	for _, m := range ids {
		if m.HostID == 0 {
			return true
		}
	}
	return false
}

// writeFile writes all of text by one write(2), as the kernel wants it.
func writeFile(dir *os.File, name, text string) error {
	f, err := openBeneath(dir, name, unix.O_WRONLY)
	if err != nil {
		return errors.Unwrap(err)
	}
	defer f.Close()
	_, err = sys.RetryValue(func() (int, error) { return unix.Write(int(f.Fd()), []byte(text)) })
	return err
}

// CVE-2025-52881: what lies over a file of procfs must not get the write.
func openBeneath(dir *os.File, name string, flags uint64) (*os.File, error) {
	return sys.Openat2(dir, name, &unix.OpenHow{
		Flags:   flags,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS,
	})
}

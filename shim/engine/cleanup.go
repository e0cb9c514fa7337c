package engine

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/keeper"
)

// CleanUp removes a container of which no supervisor is left, with its mounts,
// and tells its process and how that ended: as it was written down, or, where
// it was not, by SIGKILL. exits is the keeper's file; "" is none.
func CleanUp(namespace, id, bundle, exits string, warn func(string)) (pid int, exit Exit, err error) {
	exit = Exit{128 + uint32(unix.SIGKILL), time.Now()}
	c := &Create{ID: id, Bundle: bundle}
	records, journalErr := journalOf(bundle)
	if journalErr == nil {
		c = records[0].Create
	}
	if pid, known, ok := lastExit(records, exits); ok {
		exit = known
		err = newRuntime(&c.Options, bundle, namespace, warn).remove(id)
		return pid, exit, errors.Join(err, UnmountRootfs(bundle))
	}
	err = newRuntime(&c.Options, bundle, namespace, warn).remove(id)
	// A process that has ended now may have done so before it was killed: the
	// keeper may have seen it.
	pid, known, ok := lastExit(records, exits)
	if ok {
		exit = known
	}
	return pid, exit, errors.Join(err, UnmountRootfs(bundle))
}

func journalOf(bundle string) ([]record, error) {
	f, err := os.OpenFile(filepath.Join(bundle, JournalName), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readJournal(f)
}

// lastExit finds how a container's first process ended, in its journal or in
// the keeper's file.
func lastExit(records []record, exits string) (pid int, exit Exit, ok bool) {
	var since time.Time
	for _, r := range records {
		switch {
		case r.Exec != "":
		case r.Kind == recordBorn:
			pid, since = r.Pid, *r.At
		case r.Kind == recordExit:
			return r.Pid, Exit{r.Status, *r.At}, true
		}
	}
	f, err := os.Open(exits)
	if err != nil || pid == 0 {
		return pid, exit, false
	}
	defer f.Close()
	list, err := keeper.ReadExits(f)
	for _, x := range list {
		if x.Pid == pid && x.At.After(since) {
			return pid, Exit{x.Status, x.At}, true
		}
	}
	return pid, exit, false
}

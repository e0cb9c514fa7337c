package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// JournalName is the journal's in a bundle.
const JournalName = "davit.journal"

// record is a line of a journal.
type record struct {
	Kind   string     `json:"k"`
	Exec   string     `json:"exec,omitempty"`
	Number int        `json:"n,omitempty"` // of the process, in the keeper's keys
	Pid    int        `json:"pid,omitempty"`
	Start  uint64     `json:"start,omitempty"` // when the process started, in ticks since boot
	Status uint32     `json:"status,omitempty"`
	At     *time.Time `json:"at,omitempty"`
	Create *Create    `json:"create,omitempty"`
	Stream *Streams   `json:"streams,omitempty"`
	Spec   []byte     `json:"spec,omitempty"`
}

// The kinds of records.
const (
	recordCreate     = "create"   // a container is about to be created
	recordBorn       = "born"     // a process is there
	recordStarting   = "starting" // its program is about to be started
	recordStarted    = "started"  // its program runs
	recordNotStarted = "not started"
	recordFreezing   = "freezing" // it is about to be paused, or resumed
	recordPaused     = "paused"
	recordResumed    = "resumed"
	recordExec       = "exec" // a further process is to be
	recordExit       = "exit"
	recordOOM        = "oom"     // it was told that memory was wanting
	recordDeleted    = "deleted" // of a further process
)

// journal is a file to which records are appended.
type journal struct {
	file *os.File
	path string
}

func newJournal(bundle string) (*journal, error) {
	path := journalPath(bundle)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making the journal: %w", err)
	}
	return &journal{f, path}, nil
}

func journalPath(bundle string) string { return filepath.Join(bundle, JournalName) }

// add writes a record. Each is one write, so that none is there by half.
func (j *journal) add(r record) error {
	line, err := json.Marshal(r)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing the journal %s: %w", j.path, err)
	}
	return nil
}

// readJournal reads all records. A line that is there by half, after a write
// for which there was no room, is the end.
func readJournal(f *os.File) ([]record, error) {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	var list []record
	for line := range strings.Lines(string(data)) {
		var r record
		if json.Unmarshal([]byte(line), &r) != nil {
			break
		}
		list = append(list, r)
	}
	if len(list) == 0 || list[0].Create == nil {
		return nil, errors.New("reading the journal: it does not begin with a container")
	}
	return list, nil
}

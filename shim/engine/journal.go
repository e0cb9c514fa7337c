package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
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

// journal is a file to which records are appended. When it has grown long, what no
// longer counts is left out.
type journal struct {
	file  *os.File
	path  string
	size  int64
	bound int64                // it is shortened when it is longer than that
	keep  func(*os.File) error // has a keeper hold a new file in place of the one before
	warn  func(message string)
}

// shortBound is how long a journal may be that is not shortened, in bytes.
const shortBound = 64 << 10

func newJournal(bundle string) (*journal, error) {
	path := journalPath(bundle)
	f, err := openJournal(path)
	if err != nil {
		return nil, err
	}
	return &journal{file: f, path: path, bound: shortBound}, nil
}

// openJournal makes an empty one.
func openJournal(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making the journal: %w", err)
	}
	return f, nil
}

// resumeJournal goes on with the file of another supervisor, which may have been
// killed before that had the journal's name.
func resumeJournal(file *os.File, bundle string) (*journal, error) {
	j := &journal{file: file, path: journalPath(bundle), bound: shortBound}
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	j.size = info.Size()
	if named, err := os.Lstat(j.path); err != nil || !os.SameFile(info, named) {
		j.bound = 0
	}
	return j, nil
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
	j.size += int64(len(line)) + 1
	j.shorten()
	return nil
}

// shorten writes the journal anew if it is long. Where that fails, or is
// interrupted, the one before goes on to count.
func (j *journal) shorten() {
	if j.size <= j.bound {
		return
	}
	if err := j.rewrite(); err != nil {
		j.warn(err.Error())
	}
	j.bound = max(shortBound, 2*j.size)
}

func (j *journal) rewrite() error {
	records, err := readJournal(j.file)
	if err != nil {
		return err
	}
	next := j.path + ".new"
	f, err := openJournal(next)
	if err != nil {
		return err
	}
	size, err := writeRecords(f, counting(records))
	if err == nil {
		err = j.keep(f)
	}
	if err != nil {
		f.Close()
		os.Remove(next)
		return fmt.Errorf("writing the journal %s: %w", next, err)
	}
	j.file.Close()
	j.file, j.size = f, size
	return os.Rename(next, j.path)
}

// writeRecords writes them in one go.
func writeRecords(f *os.File, records []record) (size int64, err error) {
	var text []byte
	for _, r := range records {
		line, err := json.Marshal(r)
		if err != nil {
			return 0, err
		}
		text = append(append(text, line...), '\n')
	}
	n, err := f.Write(text)
	return int64(n), err
}

// counting are those of the records that still count: of further processes that have
// been deleted none does, of a container's pauses the last, and that memory ran
// out once.
func counting(records []record) (list []record) {
	deleted := map[string]bool{} // after the record that is looked at
	var oom, freeze bool
	for _, r := range slices.Backward(records) {
		switch {
		case r.Kind == recordDeleted:
			deleted[r.Exec] = true
			continue
		case r.Exec != "" && deleted[r.Exec], r.Kind == recordOOM && oom, r.freezes() && freeze:
			continue
		}
		oom, freeze = oom || r.Kind == recordOOM, freeze || r.freezes()
		list = append(list, r)
	}
	slices.Reverse(list)
	return list
}

// freezes tells whether it is one of those of a pause.
func (r *record) freezes() bool {
	return r.Kind == recordFreezing || r.Kind == recordPaused || r.Kind == recordResumed
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

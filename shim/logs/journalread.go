package logs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// ReadJournal is Read of a container whose output went to the journal, by the
// container's whole id. It runs journalctl, for the journal's files are
// systemd's to understand. [exec.ErrNotFound]: there is none.
//
// Only what this user sent is read: any user may send messages that claim to be
// a container's. A Tail counts records, of which a long line has several.
func ReadJournal(ctx context.Context, id string, q Query, each func(Record) error) error {
	if id == "" || strings.ContainsAny(id, "\x00\n") {
		return fmt.Errorf("reading journal: %q is no container's id", id)
	}
	r := &journalReader{id: id, q: q, each: each, begun: time.Now()}
	err := r.read(ctx)
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

type journalReader struct {
	id     string
	q      Query
	each   func(Record) error
	begun  time.Time
	cursor string // of the last record that was read
}

// read follows until the container's end, and then reads what was still under
// way.
func (r *journalReader) read(ctx context.Context) error {
	if !r.q.Follow {
		return r.run(ctx, r.args())
	}
	following, stop := context.WithCancel(ctx)
	defer stop()
	if !r.q.Until.IsZero() {
		following, stop = context.WithDeadline(following, r.q.Until)
		defer stop()
	}
	go func() {
		select {
		case <-r.q.Ended:
			stop()
		case <-following.Done():
		}
	}()
	if err := r.run(following, append(r.args(), "--follow")); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	exec.CommandContext(ctx, "journalctl", "--sync").Run() // what is not synced is not lost, only later
	return r.run(ctx, r.rest())
}

// args are journalctl's for a query. The journal's times are those of receiving,
// later than ours; give looks at ours.
func (r *journalReader) args() []string {
	args := r.match()
	if r.q.Tail >= 0 {
		args = append(args, "--lines="+strconv.Itoa(r.q.Tail))
	} else {
		args = append(args, "--no-tail")
	}
	if !r.q.Since.IsZero() {
		args = append(args, fmt.Sprintf("--since=@%d", r.q.Since.Unix()))
	}
	return args
}

// rest are those for what comes behind the last record.
func (r *journalReader) rest() []string {
	if r.cursor != "" {
		return append(r.match(), "--after-cursor="+r.cursor)
	}
	if r.q.Tail >= 0 {
		return append(r.match(), fmt.Sprintf("--since=@%d", r.begun.Unix()))
	}
	return r.args()
}

func (r *journalReader) match() []string {
	return []string{"--output=export", "--all", "--quiet", "--no-pager", "CONTAINER_ID_FULL=" + r.id, fmt.Sprint("_UID=", journalUID())}
}

// journalUID is who this process is to the journal: in a user namespace, whom its user
// stands for.
// Source: user_namespaces(7), /proc/PID/uid_map.
func journalUID() int {
	data, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return os.Geteuid()
	}
	for line := range strings.Lines(string(data)) {
		var inside, outside, count int
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err != nil {
			continue
		}
		if n := os.Geteuid() - inside; n >= 0 && n < count {
			return outside + n
		}
	}
	return os.Geteuid()
}

// run reads what one journalctl says. The end of the context is no failure.
func (r *journalReader) run(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, "journalctl", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("reading journal: %w", err)
	}
	err = r.records(bufio.NewReaderSize(out, 64<<10))
	if err != nil {
		cmd.Process.Kill()
	}
	waited := cmd.Wait()
	switch {
	case ctx.Err() != nil && !errors.Is(err, errDone):
		return nil
	case err != nil:
		return err
	case waited != nil:
		return fmt.Errorf("reading journal: %w: %s", waited, explained(strings.Join(strings.Fields(stderr.String()), " ")))
	}
	return nil
}

// explained adds to journalctl's words what can be done.
// Source: journald.conf(5), SplitMode.
func explained(words string) string {
	if strings.Contains(words, "insufficient permissions") {
		words += " [users have journals of their own only where it is kept in /var/log/journal; members of the group systemd-journal read all]"
	}
	return words
}

func (r *journalReader) records(in *bufio.Reader) error {
	for {
		fields, err := readEntry(in)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading journal: %w", err)
		}
		r.cursor = string(fields["__CURSOR"])
		if err := r.give(fields); err != nil {
			return err
		}
	}
}

// give hands on what a Writer sent.
func (r *journalReader) give(fields map[string][]byte) error {
	at, err := time.Parse(time.RFC3339Nano, string(fields["SYSLOG_TIMESTAMP"]))
	if err != nil {
		return nil
	}
	record := Record{Time: at, Line: fields["MESSAGE"]}
	if string(fields["PRIORITY"]) == "3" {
		record.Stream = Stderr
	}
	if fields["CONTAINER_PARTIAL_MESSAGE"] == nil {
		record.Line = append(record.Line, '\n')
	}
	if r.q.past(record) {
		return errDone
	}
	if !r.q.wants(record) {
		return nil
	}
	return r.each(record)
}

// readEntry reads one entry of the journal's export format: fields up to an
// empty line, each as "NAME=VALUE", or as "NAME" and a value with its length in
// front.
//
// Spec: systemd.io/JOURNAL_EXPORT_FORMATS
func readEntry(in *bufio.Reader) (map[string][]byte, error) {
	fields := map[string][]byte{}
	for {
		line, err := in.ReadSlice('\n')
		if err == io.EOF && (len(line) > 0 || len(fields) > 0) {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		line = line[:len(line)-1]
		if len(line) == 0 && len(fields) > 0 {
			return fields, nil
		}
		name, value, plain := bytes.Cut(line, []byte("="))
		key := string(name)
		if value = bytes.Clone(value); !plain && key != "" {
			if value, err = readValue(in); err != nil {
				return nil, err
			}
		}
		if key != "" {
			fields[key] = value
		}
	}
}

// readValue reads a value behind its length.
func readValue(in *bufio.Reader) ([]byte, error) {
	var size [8]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return nil, unexpected(err)
	}
	n := binary.LittleEndian.Uint64(size[:])
	if n > maxRecord {
		return nil, fmt.Errorf("a field of %d bytes is too long", n)
	}
	value := make([]byte, n+1)
	if _, err := io.ReadFull(in, value); err != nil {
		return nil, unexpected(err)
	}
	if value[n] != '\n' {
		return nil, errors.New("a field does not end where it says")
	}
	return value[:n], nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

package logs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// journalSocket is where systemd-journald takes messages.
const journalSocket = "/run/systemd/journal/socket"

// journalPatience is how long a message waits for a journal that is busy,
// before it is given up.
const journalPatience = time.Second

// Journal says how a container's messages are marked in the journal, with the
// same fields as Docker's, so that `journalctl CONTAINER_NAME=...` finds them.
type Journal struct {
	ID     string            // the container's, whole
	Name   string            // the container's
	Image  string            // its image's, as the user gave it
	Tag    string            // SYSLOG_IDENTIFIER; the first 12 characters of ID where empty
	Fields map[string]string // more, such as labels; names are put into journald's form, and none of the above is replaced
	Socket string            // systemd-journald's where empty
}

// journal sends records to systemd's journal, each in a datagram. The socket is
// connected to nothing, so that a journal that was started anew is found.
//
// Spec: systemd.io/JOURNAL_NATIVE_PROTOCOL
type journal struct {
	fd    int
	to    unix.SockaddrUnix
	fixed []byte // the fields that are the same in each message
	buf   []byte
	stuck bool // the last message was given up
}

func openJournal(j Journal) (*journal, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening journal: %w", err)
	}
	patience := unix.NsecToTimeval(journalPatience.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("opening journal: %w", err)
	}
	out := &journal{fd: fd, fixed: j.fixed()}
	if out.to.Name = j.Socket; j.Socket == "" {
		out.to.Name = journalSocket
	}
	if err := unix.Access(out.to.Name, unix.W_OK); err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.ENOENT) {
			err = errors.New("journald is not enabled on this host")
		}
		return nil, fmt.Errorf("opening journal: %w [its socket is %s]", err, out.to.Name)
	}
	return out, nil
}

// fixed encodes the fields that are the same in each message.
func (j Journal) fixed() []byte {
	short := j.ID[:min(12, len(j.ID))]
	tag := j.Tag
	if tag == "" {
		tag = short
	}
	var dst []byte
	for _, f := range [][2]string{
		{"CONTAINER_ID", short}, {"CONTAINER_ID_FULL", j.ID}, {"CONTAINER_NAME", j.Name},
		{"CONTAINER_TAG", tag}, {"SYSLOG_IDENTIFIER", tag}, {"IMAGE_NAME", j.Image},
	} {
		if f[1] != "" {
			dst = appendField(dst, f[0], f[1])
		}
	}
	for _, name := range sortedKeys(j.Fields) {
		if field := fieldName(name); field != "" && !isOwn(field) {
			dst = appendField(dst, field, j.Fields[name])
		}
	}
	return dst
}

// isOwn tells whether a field is one that says whose message it is, or what: nobody else
// sets those.
func isOwn(field string) bool {
	return field == "MESSAGE" || field == "PRIORITY" || field == "IMAGE_NAME" ||
		strings.HasPrefix(field, "CONTAINER_") || strings.HasPrefix(field, "SYSLOG_")
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// fieldName puts a name into journald's form: capital letters, digits and
// underscores, the first a letter. It is empty where nothing is left.
func fieldName(name string) string {
	upper := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, name)
	upper = strings.TrimLeft(upper, "_0123456789")
	return upper[:min(64, len(upper))]
}

// appendField appends a field in the form that holds any byte.
func appendField[T string | []byte](dst []byte, name string, value T) []byte {
	dst = append(dst, name...)
	dst = append(dst, '\n')
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(value)))
	return append(append(dst, value...), '\n')
}

func (j *journal) record(stamp []byte, s Stream, line []byte, whole bool) error {
	priority := "PRIORITY=6\n" // informational
	if s == Stderr {
		priority = "PRIORITY=3\n" // an error
	}
	dst := appendField(j.buf[:0], "MESSAGE", line)
	dst = append(dst, priority...)
	if !whole {
		dst = append(dst, "CONTAINER_PARTIAL_MESSAGE=true\n"...)
	}
	dst = append(dst, "SYSLOG_TIMESTAMP="...)
	dst = append(append(dst, stamp...), '\n')
	j.buf = append(dst, j.fixed...)
	return j.send()
}

// send waits for a journal that is busy, but not again until it has taken
// something: all other containers of the supervisor wait too.
func (j *journal) send() error {
	flags := unix.MSG_NOSIGNAL
	if j.stuck {
		flags |= unix.MSG_DONTWAIT
	}
	err := unix.Sendto(j.fd, j.buf, flags, &j.to)
	for err == unix.EINTR {
		err = unix.Sendto(j.fd, j.buf, flags, &j.to)
	}
	j.stuck = err == unix.EAGAIN
	if err != nil {
		return fmt.Errorf("writing to journal: %w", err)
	}
	return nil
}

func (j *journal) flush() error  { return nil }
func (j *journal) reopen() error { return nil }

func (j *journal) position() (uint64, int64) { return 0, 0 }
func (j *journal) close() error              { return unix.Close(j.fd) }

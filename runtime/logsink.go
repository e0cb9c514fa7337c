package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
)

// The sockets of the machine's logs, which take datagrams.
const (
	journaldSocket = "/run/systemd/journal/socket"
	syslogSocket   = "/dev/log"
)

// sink is a log of the machine that takes the entries instead of a file.
type sink struct {
	socket net.Conn
	id     string // what the entries are found by
	format func(id string, e *logrus.Entry) []byte
}

// dialSink connects to the log that listens on a socket.
func dialSink(path, id string, format func(string, *logrus.Entry) []byte) (*sink, error) {
	socket, err := net.Dial("unixgram", path)
	if err != nil {
		return nil, err
	}
	return &sink{socket, id, format}, nil
}

// Levels makes a sink a hook of logrus: for all entries that are logged at all.
func (s *sink) Levels() []logrus.Level { return logrus.AllLevels }

// Fire sends an entry.
func (s *sink) Fire(e *logrus.Entry) error {
	_, err := s.socket.Write(s.format(s.id, e))
	return err
}

// journaldEntry is an entry in journald's own protocol.
// Source: systemd.io/JOURNAL_NATIVE_PROTOCOL.
// Compat(crun): the field ID.
func journaldEntry(id string, e *logrus.Entry) []byte {
	return fmt.Appendf(nil, "PRIORITY=%d\nMESSAGE=%s\nSYSLOG_IDENTIFIER=%s\nID=%[3]s\n", severity(e.Level), oneLine(e.Message), id)
}

// facilityUser is that of programs which are no service of the system.
const facilityUser = 1 << 3

// syslogEntry is an entry as syslog(3) writes it to the local socket.
func syslogEntry(id string, e *logrus.Entry) []byte {
	return fmt.Appendf(nil, "<%d>%s %s[%d]: %s", facilityUser|severity(e.Level), e.Time.Format(time.Stamp), id, os.Getpid(), oneLine(e.Message))
}

// severity is a level's number in syslog's terms.
// Source: RFC 5424, 6.2.1.
func severity(level logrus.Level) int {
	switch level {
	case logrus.PanicLevel, logrus.FatalLevel:
		return 2
	case logrus.ErrorLevel:
		return 3
	case logrus.WarnLevel:
		return 4
	case logrus.InfoLevel:
		return 6
	}
	return 7
}

// cutScheme takes apart what --log names: a kind of log and what is given of
// it. Everything else is a file's path.
// Compat(crun): file:, journald: and syslog:.
func cutScheme(log string) (kind, rest string) {
	kind, rest, found := strings.Cut(log, ":")
	if found && (kind == "file" || kind == "journald" || kind == "syslog") {
		return kind, rest
	}
	return "file", log
}

// checkSinkID refuses what would be more than one field of an entry.
func checkSinkID(id string) error {
	if strings.ContainsAny(id, "\n\x00") {
		return fmt.Errorf("the log's identifier %s has a line break", strconv.Quote(id))
	}
	return nil
}

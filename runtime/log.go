package main

import (
	"fmt"
	"io"
	"os"

	"github.com/sirupsen/logrus"
)

// journal is davit's log. It writes through logrus's standard logger, because
// opencontainers/cgroups does too: its lines end up in the same place, in the
// same format, and those formats are what engines parse.
type journal struct {
	logger *logrus.Logger
	toFile bool // the log is not standard error
}

// newJournal is the log before the flags are known: text on standard error.
func newJournal() *journal {
	return &journal{logger: logrus.StandardLogger()}
}

// configure sets the format and the level, and opens the file.
func (j *journal) configure(g *globals) error {
	if g.logFormat == "json" {
		j.logger.SetFormatter(new(logrus.JSONFormatter))
	}
	if level, ok := logLevel(g); ok {
		j.logger.SetLevel(level)
	}
	if g.logPath == "" || g.logPath == "/dev/stderr" {
		return nil
	}
	if err := j.open(cutScheme(g.logPath)); err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	return nil
}

// open directs the log to a file, or to a log of the machine.
func (j *journal) open(kind, rest string) error {
	if kind == "journald" {
		return j.sendTo(journaldSocket, rest, journaldEntry)
	}
	if kind == "syslog" {
		return j.sendTo(syslogSocket, rest, syslogEntry)
	}
	file, err := os.OpenFile(rest, os.O_CREATE|os.O_WRONLY|os.O_APPEND|os.O_SYNC, 0o644)
	if err != nil {
		return err
	}
	j.logTo(file)
	return nil
}

// sendTo directs the log to a socket.
func (j *journal) sendTo(socket, id string, format func(string, *logrus.Entry) []byte) error {
	if err := checkSinkID(id); err != nil {
		return err
	}
	s, err := dialSink(socket, id, format)
	if err != nil {
		return err
	}
	j.logger.AddHook(s)
	j.logTo(io.Discard)
	return nil
}

// logTo directs the log to something that is not standard error.
func (j *journal) logTo(w io.Writer) {
	j.logger.SetOutput(w)
	j.toFile = true
}

// logLevel is the level that the flags ask for; false leaves the default,
// which shows warnings and information.
func logLevel(g *globals) (logrus.Level, bool) {
	switch {
	case g.debug, g.logLevel == "debug":
		return logrus.DebugLevel, true
	case g.logLevel == "error":
		return logrus.ErrorLevel, true
	case g.logLevel == "warning":
		return logrus.WarnLevel, true
	}
	return 0, false
}

// warn logs a warning of one line.
func (j *journal) warn(message string) {
	j.logger.Warn(oneLine(message))
}

// debugging tells whether debugging messages are wanted, so that making them
// costs nothing when they are not.
func (j *journal) debugging() bool {
	return j.logger.IsLevelEnabled(logrus.DebugLevel)
}

// debugf logs what is being done.
func (j *journal) debugf(format string, args ...any) {
	j.logger.Debugf(format, args...)
}

package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
)

func TestSinks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		format func(string, *logrus.Entry) []byte
		want   string
	}{
		{"journald", journaldEntry, "^PRIORITY=4\nMESSAGE=first; second\nSYSLOG_IDENTIFIER=box\nID=box\n$"},
		{"syslog", syslogEntry, `^<12>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d box\[\d+\]: first; second$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "socket")
			socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer socket.Close()
			j := &journal{logger: logrus.New()}
			if err := j.sendTo(path, "box", tt.format); err != nil {
				t.Fatal(err)
			}
			j.debugf("not at this level")
			j.logger.Warn("first\nsecond")
			buf := make([]byte, 1000)
			n, err := socket.Read(buf)
			if err != nil || !regexp.MustCompile(tt.want).Match(buf[:n]) {
				t.Errorf("got %q, %v", buf[:n], err)
			}
			if !j.toFile {
				t.Error("standard error would not get the message")
			}
		})
	}
}

func TestSinkErrors(t *testing.T) {
	j := &journal{logger: logrus.New()}
	if err := j.sendTo("/nowhere", "box", syslogEntry); !os.IsNotExist(err) && !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no socket: got %v", err)
	}
	if err := j.sendTo("/nowhere", "a\nPRIORITY=0", journaldEntry); err == nil || !strings.Contains(err.Error(), "line break") {
		t.Errorf("an identifier of two fields: got %v", err)
	}
}

func TestCutScheme(t *testing.T) {
	for log, want := range map[string][2]string{
		"/run/log.json": {"file", "/run/log.json"}, "file:/run/log": {"file", "/run/log"}, "journald:box": {"journald", "box"},
		"syslog:": {"syslog", ""}, "odd:name": {"file", "odd:name"}, "file": {"file", "file"},
	} {
		if kind, rest := cutScheme(log); kind != want[0] || rest != want[1] {
			t.Errorf("%s: got %s, %s", log, kind, rest)
		}
	}
}

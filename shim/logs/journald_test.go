package logs

import (
	"bytes"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// journalAt stands for systemd-journald: it takes messages at a socket.
func journalAt(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// message is the next one, as "NAME=value" a line; it is decoded as journald
// does, by the two forms of a field.
func message(t *testing.T, conn *net.UnixConn) map[string]string {
	t.Helper()
	buf := make([]byte, 256<<10)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for rest := buf[:n]; len(rest) > 0; {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if !found {
			t.Fatalf("field without an end: %.100q", rest)
		}
		if name, value, plain := strings.Cut(string(line), "="); plain {
			fields[name] = value
			rest = after
			continue
		}
		size := binary.LittleEndian.Uint64(after)
		fields[string(line)] = string(after[8 : 8+size])
		if after[8+size] != '\n' {
			t.Fatalf("field %s does not end", line)
		}
		rest = after[8+size+1:]
	}
	return fields
}

func TestJournald(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	conn := journalAt(t, socket)
	w, _ := newLog(t, Config{Driver: Journald, Journal: Journal{
		ID: "0123456789abcdef", Name: "web", Image: "nginx", Socket: socket,
		Fields: map[string]string{"com.example.app": "a=b\nc", "_TRUSTED": "1", "é": "2", "container_id_full": "another", "message": "forged", "priority": "0"},
	}})
	write(t, w, Stdout, "one\x00=\xff\n")
	got := message(t, conn)
	want := map[string]string{"MESSAGE": "one\x00=\xff", "PRIORITY": "6", "CONTAINER_ID": "0123456789ab", "CONTAINER_ID_FULL": "0123456789abcdef",
		"CONTAINER_NAME": "web", "CONTAINER_TAG": "0123456789ab", "SYSLOG_IDENTIFIER": "0123456789ab", "IMAGE_NAME": "nginx",
		"COM_EXAMPLE_APP": "a=b\nc", "TRUSTED": "1", "SYSLOG_TIMESTAMP": got["SYSLOG_TIMESTAMP"]}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	if len(got) != len(want) || anyTime.ReplaceAllString(got["SYSLOG_TIMESTAMP"], "") != "" {
		t.Errorf("fields: %q", got)
	}

	write(t, w, Stderr, strings.Repeat("x", maxLine))
	if got := message(t, conn); len(got["MESSAGE"]) != maxLine || got["PRIORITY"] != "3" || got["CONTAINER_PARTIAL_MESSAGE"] != "true" {
		t.Errorf("part of a line: %d bytes, %q %q", len(got["MESSAGE"]), got["PRIORITY"], got["CONTAINER_PARTIAL_MESSAGE"])
	}
}

// A journal that is started anew is found again; what comes in between is an
// error, and lost.
func TestJournaldRestarts(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	conn := journalAt(t, socket)
	w, _ := newLog(t, Config{Driver: Journald, Journal: Journal{ID: "x", Socket: socket}})
	write(t, w, Stdout, "one\n")
	message(t, conn)
	conn.Close()
	os.Remove(socket)
	if err := w.Write(Stdout, []byte("two\n")); err == nil || !strings.HasPrefix(err.Error(), "writing to journal: ") {
		t.Errorf("error: %v", err)
	}
	conn = journalAt(t, socket)
	write(t, w, Stdout, "three\n")
	if got := message(t, conn)["MESSAGE"]; got != "three" {
		t.Errorf("got %q", got)
	}
}

// A journal that takes nothing does not stop the supervisor for ever.
func TestJournaldStuck(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	conn := journalAt(t, socket)
	w, _ := newLog(t, Config{Driver: Journald, Journal: Journal{ID: "x", Socket: socket}})
	if err := unix.SetsockoptTimeval(w.out.(*journal).fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Usec: 10_000}); err != nil {
		t.Fatal(err)
	}
	failed := 0
	begin := time.Now()
	for range 100_000 {
		if err := w.Write(Stdout, []byte("x\n")); err != nil {
			if !strings.Contains(err.Error(), unix.EAGAIN.Error()) {
				t.Fatal(err)
			}
			failed++
		}
	}
	if failed == 0 || time.Since(begin) > 100*time.Second {
		t.Errorf("%d of 100000 messages failed, in %v", failed, time.Since(begin))
	}
	if message(t, conn); w.Write(Stdout, []byte("y\n")) != nil {
		t.Error("a journal that reads again is not written to")
	}
}

package main

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/internal/view"
	"github.com/davit-containers/davit/conformance/needs"
)

func TestMountWatchCounts(t *testing.T) {
	needs.Root(t, "it mounts")
	for name, watch := range map[string]func() (*mountWatch, error){"each": watchEachMount, "any": watchAnyMount} {
		t.Run(name, func(t *testing.T) {
			var missing error
			err := view.In(view.Host, func(dir string) error {
				w, err := watch()
				if errors.Is(err, unix.EINVAL) {
					missing = err
					return nil
				}
				if err != nil {
					return err
				}
				defer w.close()
				return checkCounts(t, w, dir)
			})
			if err != nil {
				t.Fatal(err)
			}
			if missing != nil {
				t.Skipf("this kernel does not report mounts by fanotify(7) [needs Linux 6.15]: %v", missing)
			}
		})
	}
}

// checkCounts mounts and unmounts on dir.
func checkCounts(t *testing.T, w *mountWatch, dir string) error {
	for i, change := range []func() error{
		func() error { return nil },
		func() error { return unix.Mount("tmpfs", dir, "tmpfs", 0, "") },
		func() error { return unix.Unmount(dir, 0) },
	} {
		if err := change(); err != nil {
			return err
		}
		if n, err := w.count(); n != min(i, 1) || err != nil {
			t.Errorf("change %d: %d events, %v", i, n, err)
		}
	}
	return nil
}

func TestBusWatchCounts(t *testing.T) {
	message := func(fields, body int) string {
		m := make([]byte, 16+(fields+7)/8*8+body)
		m[0], m[4], m[12] = 'l', byte(body), byte(fields)
		return string(m)
	}
	stream := "\x00AUTH EXTERNAL 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n" + message(3, 5) + message(0, 0) + message(16, 200)
	for _, size := range []int{1, 7, len(stream)} {
		var w busWatch
		look := w.counter()
		for rest := []byte(stream); len(rest) > 0; rest = rest[min(size, len(rest)):] {
			look(rest[:min(size, len(rest))])
		}
		if got := w.count(); got != 3 {
			t.Errorf("in pieces of %d bytes: %d messages, want 3", size, got)
		}
	}
}

// TestBusWatchWithoutABus counts attempts to connect.
func TestBusWatchWithoutABus(t *testing.T) {
	if hasSystemd() {
		t.Skip("the system's D-Bus is here: an attempt to connect succeeds")
	}
	w, err := watchBus(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	conn, err := net.Dial("unix", strings.TrimPrefix(os.Getenv(busVariable), "unix:path="))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("somebody answers: %d, %v", n, err)
	}
	if n := w.count(); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}

package sys

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// longDir makes a directory whose path no sockaddr_un can hold.
func longDir(t *testing.T) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), strings.Repeat("d", 200))
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

func TestSocketInLongDirectory(t *testing.T) {
	for name, typ := range map[string]int{"seqpacket": unix.SOCK_SEQPACKET, "stream": unix.SOCK_STREAM} {
		t.Run(name, func(t *testing.T) {
			dir := longDir(t)
			listener, err := Listen(dir, "start", typ)
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			checkMode(t, filepath.Join(dir.Name(), "start"), 0o600)
			for how, dial := range map[string]func() (*os.File, error){
				"by descriptor": func() (*os.File, error) { return Dial(dir, "start", typ) },
				"by path":       func() (*os.File, error) { return DialPath(filepath.Join(dir.Name(), "start"), typ) },
			} {
				client, err := dial()
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				checkConversation(t, client, listener)
				client.Close()
			}
		})
	}
}

func checkMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	fi, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := fi.Mode().Perm(); got != want {
		t.Errorf("mode of %s: got %o, want %o", path, got, want)
	}
}

func checkConversation(t *testing.T, client, listener *os.File) {
	t.Helper()
	fd, _, err := unix.Accept4(int(listener.Fd()), unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	server := os.NewFile(uintptr(fd), "accepted")
	defer server.Close()
	if err := Send(client, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	n, files, err := Recv(server, buf)
	if string(buf[:n]) != "hello" || len(files) != 0 || err != nil {
		t.Errorf("got %q, %v, %v", buf[:n], files, err)
	}
	for _, f := range []*os.File{client, server, listener} {
		checkCloexec(t, f)
	}
}

func checkCloexec(t *testing.T, f *os.File) {
	t.Helper()
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("%s is not close-on-exec: %v", f.Name(), err)
	}
}

func TestSocketErrors(t *testing.T) {
	dir := longDir(t)
	if _, err := Dial(dir, "none", unix.SOCK_SEQPACKET); !errors.Is(err, unix.ENOENT) {
		t.Errorf("no such socket: got %v", err)
	}
	if _, err := DialPath("/nonexistent/none", unix.SOCK_STREAM); !errors.Is(err, unix.ENOENT) {
		t.Errorf("no such directory: got %v", err)
	}
	listener, err := Listen(dir, "s", unix.SOCK_SEQPACKET)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(dir, "s", unix.SOCK_SEQPACKET); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("second listener: got %v", err)
	}
	listener.Close()
	if _, err := Dial(dir, "s", unix.SOCK_SEQPACKET); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("nobody listens: got %v", err)
	}
}

package sys

import (
	"errors"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func pair(t *testing.T) (a, b *os.File) {
	t.Helper()
	a, b, err := Socketpair(unix.SOCK_SEQPACKET)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { CloseAll([]*os.File{a, b}) })
	return a, b
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestDescriptorsArrive(t *testing.T) {
	a, b := pair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := Send(a, []byte("go"), int(w.Fd()), int(w.Fd())); err != nil {
		t.Fatal(err)
	}
	w.Close()
	buf := make([]byte, 8)
	n, files, err := Recv(b, buf)
	if err != nil || string(buf[:n]) != "go" || len(files) != 2 {
		t.Fatalf("got %q, %v, %v", buf[:n], files, err)
	}
	for _, f := range files {
		checkCloexec(t, f)
	}
	files[1].WriteString("through")
	CloseAll(append(files, nil))
	if data, _ := io.ReadAll(r); string(data) != "through" {
		t.Errorf("got %q through the descriptor", data)
	}
}

func TestMessageBoundaries(t *testing.T) {
	a, b := pair(t)
	for _, msg := range []string{"one", "two"} {
		if err := Send(a, []byte(msg)); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 64)
	for _, want := range []string{"one", "two"} {
		if n, _, err := Recv(b, buf); err != nil || string(buf[:n]) != want {
			t.Errorf("got %q, %v, want %q", buf[:n], err, want)
		}
	}
	a.Close()
	if _, _, err := Recv(b, buf); err != io.EOF {
		t.Errorf("closed: got %v, want EOF", err)
	}
	if err := Send(b, []byte("x")); !errors.Is(err, unix.EPIPE) {
		t.Errorf("sending to a closed end: got %v, want EPIPE", err)
	}
}

func TestMutilatedMessages(t *testing.T) {
	tests := []struct {
		name string
		buf  int
		fds  int
		want error
	}{
		{"longer than the buffer", 2, 1, ErrMessageTooLong},
		{"as long as the buffer", 5, 1, nil},
		{"most descriptors", 8, MaxFiles, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := pair(t)
			before := openFiles(t)
			fds := make([]int, tt.fds)
			for i := range fds {
				fds[i] = int(a.Fd())
			}
			if err := Send(a, []byte("12345"), fds...); err != nil {
				t.Fatal(err)
			}
			_, files, err := Recv(b, make([]byte, tt.buf))
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err == nil && len(files) != tt.fds {
				t.Errorf("got %d descriptors, want %d", len(files), tt.fds)
			}
			CloseAll(files)
			if after := openFiles(t); after != before {
				t.Errorf("%d descriptors leaked", after-before)
			}
		})
	}
}

// A receiver at its descriptor limit gets fewer than were sent (MSG_CTRUNC).
func TestDescriptorsLost(t *testing.T) {
	a, b := pair(t)
	fds := []int{int(a.Fd()), int(a.Fd()), int(a.Fd()), int(a.Fd())}
	if err := Send(a, []byte("x"), fds...); err != nil {
		t.Fatal(err)
	}
	before := openFiles(t)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	// Descriptors 0 to highest are taken or free; two more can be had at most.
	highest, err := unix.FcntlInt(a.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(highest)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(highest + 1), Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	_, _, err = Recv(b, make([]byte, 8))
	if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); e != nil {
		t.Fatal(e)
	}
	if !errors.Is(err, ErrTooManyFiles) {
		t.Errorf("got %v, want %v", err, ErrTooManyFiles)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors leaked", after-before)
	}
}

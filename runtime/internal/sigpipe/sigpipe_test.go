package sigpipe

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// startCat starts a process that ends when its input does.
func startCat(t *testing.T) (pidfd *os.File, end func()) {
	t.Helper()
	fd := -1
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &unix.SysProcAttr{PidFD: &fd}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pidfd = os.NewFile(uintptr(fd), "pidfd")
	t.Cleanup(func() { in.Close(); cmd.Wait(); pidfd.Close() })
	return pidfd, func() { in.Close() }
}

// realTime is a signal that is queued.
const realTime = unix.Signal(41)

func TestEverySignalArrives(t *testing.T) {
	pidfd, end := startCat(t)
	p, err := Catch()
	if err != nil {
		t.Fatal(err)
	}
	for s := unix.Signal(1); s <= last; s++ {
		if leave(s) {
			continue
		}
		if err := unix.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		got, err := p.Await(pidfd)
		for got == unix.SIGCHLD && s != unix.SIGCHLD { // of a test before
			got, err = p.Await(pidfd)
		}
		if got != s || err != nil {
			t.Errorf("signal %d: got %d, %v", s, got, err)
		}
	}
	end()
	for {
		got, err := p.Await(pidfd)
		if err != nil {
			t.Fatal(err)
		}
		if got == 0 {
			return
		}
		if got != unix.SIGCHLD {
			t.Errorf("at the end of the process came signal %d", got)
		}
	}
}

// TestSignalsWhileGoWorks sends signals to a process that allocates, collects
// and switches between threads.
func TestSignalsWhileGoWorks(t *testing.T) {
	const sent = 2000
	pidfd, _ := startCat(t)
	p, err := Catch()
	if err != nil {
		t.Fatal(err)
	}
	var working sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		working.Go(func() { work(done) })
	}
	go func() {
		for range sent {
			unix.Kill(os.Getpid(), realTime)
			runtime.Gosched()
		}
	}()
	for got := 0; got < sent; { // each is queued: none may be lost
		s, err := p.Await(pidfd)
		if err != nil || s == 0 {
			t.Fatalf("after %d signals: %d, %v", got, s, err)
		}
		if s == realTime {
			got++
		}
	}
	close(done)
	working.Wait()
}

// work keeps Go's runtime busy.
func work(done chan struct{}) {
	var kept [][]byte
	for {
		select {
		case <-done:
			return
		case <-time.After(time.Microsecond):
		}
		kept = append(kept, make([]byte, 32<<10))
		if len(kept) > 100 {
			kept = nil
			runtime.GC()
		}
	}
}

package loop

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newLoop(t *testing.T) *Loop {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestOrder(t *testing.T) {
	l := newLoop(t)
	var got []string
	say := func(what string) func() { return func() { got = append(got, what) } }
	l.After(20*time.Millisecond, say("late"))
	l.After(10*time.Millisecond, say("early"))
	l.After(15*time.Millisecond, say("never")).Stop()
	l.After(30*time.Millisecond, l.Stop)
	l.Post(say("posted"))
	go l.Post(say("posted"))
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"posted", "posted", "early", "late"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWatch(t *testing.T) {
	l := newLoop(t)
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	var got []byte
	var w *Watch
	w, err := l.Watch(p[0], Readable, func(events uint32) {
		buf := make([]byte, 1)
		n, _ := unix.Read(p[0], buf)
		if n == 0 {
			w.Stop()
			w.Stop()
			l.Stop()
			return
		}
		got = append(got, buf[:n]...)
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		unix.Write(p[1], []byte("two"))
		unix.Close(p[1])
	}()
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	if string(got) != "two" {
		t.Errorf("got %q", got)
	}
}

// A call that stops another watch of the same round is the last to be heard of it.
func TestStopOther(t *testing.T) {
	l := newLoop(t)
	var watches [2]*Watch
	var calls int
	for i := range watches {
		fd, err := unix.Eventfd(1, unix.EFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		watches[i], err = l.Watch(fd, Readable, func(uint32) {
			calls++
			watches[1-i].Stop()
			l.Post(l.Stop)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	if calls != 1 {
		t.Errorf("%d calls, want one", calls)
	}
}

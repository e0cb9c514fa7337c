package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/internal/privatesocket"
	"github.com/davit-containers/davit/shim/loop"
)

// debugSuffix makes the name of the socket on which a supervisor that was
// started with -debug answers: to one line, such as "heap", "goroutine" or
// "tasks", with that profile.
const debugSuffix = ".debug"

// serveDebug listens beside the main socket.
func (s *supervisor) serveDebug() error {
	if !s.call.debug {
		return nil
	}
	listener, err := privatesocket.Listen(s.socket + debugSuffix)
	if err != nil {
		return err
	}
	fd := int(listener.Fd())
	_, err = s.loop.Watch(fd, loop.Readable, func(uint32) {
		conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
		if err == nil {
			s.answerDebug(os.NewFile(uintptr(conn), "debug"))
		}
	})
	s.debugSocket = listener
	return err
}

// answerDebug writes a profile in a goroutine of its own: whoever asks may be
// slow.
func (s *supervisor) answerDebug(conn *os.File) {
	tasks := s.engine.Tasks()
	go func() {
		defer conn.Close()
		buf := make([]byte, 64)
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		name := strings.TrimSpace(string(buf[:n]))
		if profile := pprof.Lookup(name); profile != nil {
			profile.WriteTo(conn, 0)
			return
		}
		memory := runtime.MemStats{}
		runtime.ReadMemStats(&memory)
		fmt.Fprintf(conn, "tasks %d\ngoroutines %d\nheap %d\n", tasks, runtime.NumGoroutine(), memory.HeapAlloc)
	}()
}

package supervise

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// trimTime is how long after something has happened memory is given back.
const trimTime = 2 * time.Second

// trimSoon gives memory back that starting has taken: what Go's heap has free, and
// the pages of the program that were read. A supervisor at rest needs few of them,
// and those that it needs again are in the page cache.
func (s *supervisor) trimSoon() {
	if s.trim == nil {
		s.trim = s.loop.After(trimTime, func() {
			s.trim = nil
			debug.FreeOSMemory()
			if err := dropProgram(); err != nil {
				s.warn(err.Error())
			}
		})
	}
}

// dropProgram unmaps the pages of the program's own file that nothing has changed:
// they come back from the file when they are used.
func dropProgram() error {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return err
	}
	var begin, end uintptr
	ours := false
	for line := range bytes.Lines(maps) {
		line = bytes.TrimSpace(line)
		var first, last uintptr
		var mode string
		if n, _ := fmt.Sscanf(string(line), "%x-%x %s", &first, &last, &mode); n == 3 {
			begin, end = first, last
			ours = mode[1] != 'w' && bytes.HasSuffix(line, []byte(self))
			continue
		}
		amount, found := bytes.CutPrefix(line, []byte("Anonymous:"))
		if !ours || !found || string(bytes.TrimSpace(amount)) != "0 kB" {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, begin, end-begin, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("giving memory back: %w", errno)
		}
	}
	return nil
}

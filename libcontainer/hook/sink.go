package hook

import (
	"os"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// sinkSize is how much of a hook's output is kept, in bytes.
const sinkSize = 64 << 10

// sink reads a pipe that does not block, and keeps the beginning.
type sink struct {
	file *os.File // nil at the end
	kept []byte
	lost int // bytes
}

// read reads once, and tells whether there may be more.
func (s *sink) read() bool {
	var buf [4096]byte
	n, err := sys.RetryValue(func() (int, error) { return unix.Read(int(s.file.Fd()), buf[:]) })
	if err == unix.EAGAIN {
		return false
	}
	if n <= 0 || err != nil {
		s.file.Close()
		s.file = nil
		return false
	}
	take := min(n, sinkSize-len(s.kept))
	s.kept = append(s.kept, buf[:take]...)
	s.lost += n - take
	return true
}

// drain reads what is there, but no more than a pipe holds: a descendant of
// the hook may print for ever.
func (s *sink) drain() {
	for range sinkSize / 4096 {
		if s.file == nil || !s.read() {
			return
		}
	}
}

// text is what was kept, on one line.
func (s *sink) text() string {
	text := oneLine(string(s.kept))
	if s.lost > 0 {
		text += " [and " + strconv.Itoa(s.lost) + " bytes more]"
	}
	return text
}

// oneLine writes control characters as Go does in a string literal.
func oneLine(s string) string {
	var b strings.Builder
	for _, c := range strings.TrimSpace(s) {
		if unicode.IsControl(c) {
			b.WriteString(strings.Trim(strconv.QuoteRune(c), "'"))
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

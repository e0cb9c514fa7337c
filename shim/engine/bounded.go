package engine

import (
	"fmt"
	"io"
	"os"
)

// What another runtime says is read up to here, in bytes: its messages from their
// end, its answers from their beginning.
const (
	maxMessages = 256 << 10
	maxAnswer   = 4 << 20
)

// lastBytes keeps the last bytes that are written to it.
type lastBytes struct {
	data []byte
	most int
}

// Write takes all.
func (l *lastBytes) Write(data []byte) (int, error) {
	l.data = append(l.data, data[max(0, len(data)-l.most):]...)
	if len(l.data) > 2*l.most {
		l.data = append(l.data[:0], l.data[len(l.data)-l.most:]...)
	}
	return len(data), nil
}

func (l *lastBytes) String() string { return string(l.data[max(0, len(l.data)-l.most):]) }

// firstBytes keeps what is written to it, up to a size, and refuses more.
type firstBytes struct {
	data []byte
	most int
	full bool // more was written
}

// Write fails where there is no room.
func (f *firstBytes) Write(data []byte) (int, error) {
	if f.full = f.full || len(f.data)+len(data) > f.most; f.full {
		return 0, fmt.Errorf("there are more than %d bytes", f.most)
	}
	f.data = append(f.data, data...)
	return len(data), nil
}

// readEnd reads the last bytes of a file that another runtime has written.
func readEnd(f *os.File, most int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", f.Name())
	}
	return io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-most), most))
}

package supervise

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// header is what is known of an output after a kill.
type header struct {
	Freed  position // what is before was given back
	Logged position // what is before is in the log
	// Readers is how many read it.
	Readers int64
	// A write to the log that is under way, or is not; see logger.
	Writing position // up to where
	Inode   uint64   // of the log's file
	Length  int64    // of it before
	Stamp   int64    // the records' time, in nanoseconds
	// Exit is 1 more than the status with which a further process ended, 0 before.
	Exit int64
}

// write is one system call, so that the header is there before or after it.
func (h *header) write(f *os.File) error {
	buf, err := binary.Append(nil, binary.NativeEndian, h)
	if err == nil {
		_, err = f.WriteAt(buf, 0)
	}
	if err != nil {
		return fmt.Errorf("noting what is in the log: %w", err)
	}
	return nil
}

func (h *header) read(f *os.File) error {
	buf := make([]byte, binary.Size(h))
	if _, err := f.ReadAt(buf, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading what is in the log: %w", err)
	}
	_, err := binary.Decode(buf, binary.NativeEndian, h)
	return err
}

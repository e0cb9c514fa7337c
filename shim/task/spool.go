package task

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/keeper"
	"github.com/davit-containers/davit/shim/protobuf"
)

// spool is a file in memory with the events that are to be told, each behind its
// length. Its offset is behind those that have arrived.
type spool struct {
	file *os.File
	end  int64
}

// spoolKey is the keeper's.
const spoolKey = "events"

// lengthSize is what an event's length takes, in bytes.
const lengthSize = 4

// openSpool gives what another supervisor left to be told, too.
func openSpool(k *keeper.Keeper) (s *spool, events []*api.ForwardRequest, err error) {
	s = &spool{}
	if s.file, err = k.Memory(spoolKey); err != nil {
		return nil, nil, err
	}
	at, err := s.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, nil, err
	}
	info, err := s.file.Stat()
	if err != nil {
		return nil, nil, err
	}
	data := make([]byte, max(0, info.Size()-at))
	if _, err := s.file.ReadAt(data, at); err != nil && len(data) > 0 {
		return nil, nil, err
	}
	rest := data
	for len(rest) >= lengthSize && len(rest)-lengthSize >= length(rest) {
		event := &api.ForwardRequest{}
		if err := protobuf.Unmarshal(rest[lengthSize:][:length(rest)], event); err != nil {
			return nil, nil, err
		}
		events, rest = append(events, event), rest[lengthSize+length(rest):]
	}
	s.end = at + int64(len(data)-len(rest))
	if len(events) == 0 {
		return s, nil, s.empty()
	}
	return s, events, s.file.Truncate(s.end)
}

func length(data []byte) int { return int(binary.BigEndian.Uint32(data)) }

// add appends an event.
func (s *spool) add(e *api.ForwardRequest) error {
	data := protobuf.Marshal(e)
	line := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
	if _, err := s.file.WriteAt(line, s.end); err != nil {
		return fmt.Errorf("keeping an event: %w", err)
	}
	s.end += int64(len(line))
	return nil
}

// told says that the first event has arrived, or is given up.
func (s *spool) told() error {
	var head [lengthSize]byte
	at, err := s.file.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = s.file.ReadAt(head[:], at)
	}
	if err == nil {
		at, err = s.file.Seek(lengthSize+int64(length(head[:])), io.SeekCurrent)
	}
	if err == nil && at == s.end {
		err = s.empty()
	}
	return err
}

// empty makes the file small again: first its content goes, which ends before the
// offset then, and is none.
func (s *spool) empty() error {
	s.end = 0
	err := s.file.Truncate(0)
	if err == nil {
		_, err = s.file.Seek(0, io.SeekStart)
	}
	return err
}

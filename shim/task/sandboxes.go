package task

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// sandboxRecord is what is known of a sandbox.
type sandboxRecord struct {
	ID      string
	Created time.Time
	Started time.Time `json:",omitzero"`
	Exited  time.Time `json:",omitzero"`
	Gone    bool      `json:",omitempty"` // it was shut down
}

// sandboxesKey is the keeper's, of a file in memory with a line for each change of
// a sandbox: what is known of it from then on.
const sandboxesKey = "sandboxes"

// Recover goes on with what the service of another supervisor left to the keeper.
func (s *Service) Recover() (err error) {
	s.sandboxes = map[string]*sandbox{}
	if s.record, err = s.Keeper.Memory(sandboxesKey); err != nil {
		return fmt.Errorf("making the record of sandboxes: %w", err)
	}
	info, err := s.record.Stat()
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.NewSectionReader(s.record, 0, info.Size()))
	if err != nil {
		return fmt.Errorf("reading the record of sandboxes: %w", err)
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	for line := range bytes.Lines(whole) {
		b := &sandbox{}
		if err := json.Unmarshal(line, &b.sandboxRecord); err != nil {
			return fmt.Errorf("reading the record of sandboxes: %w", err)
		}
		s.sandboxes[b.ID] = b
		if b.Gone {
			delete(s.sandboxes, b.ID)
		}
	}
	// Of a line that is there by half nobody has been told.
	return s.record.Truncate(int64(len(whole)))
}

// note writes down what is known of a sandbox, before anybody is told.
func (s *Service) note(b *sandbox) error {
	line, err := json.Marshal(b.sandboxRecord)
	if err != nil {
		return err
	}
	end, err := s.record.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = s.record.WriteAt(append(line, '\n'), end)
	}
	if err != nil {
		return fmt.Errorf("writing the record of sandboxes: %w", err)
	}
	return nil
}

// forget writes down that a sandbox is no more.
func (s *Service) forget(b *sandbox) error {
	b.Gone = true
	return s.note(b)
}

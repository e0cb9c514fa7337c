package state

import (
	"bytes"
	"fmt"
	"time"
)

// decode reads a state file: fields in any order, config last, unknown fields
// skipped. [ErrIncomplete]: data is not a whole state.
func decode(data []byte) (*State, error) {
	s := &State{}
	version := uint64(format)
	r := &reader{data: data}
	err := r.object(func(key string) error {
		if key == "format" {
			return r.number(&version)
		}
		return s.field(r, key)
	})
	switch {
	case version > format:
		return nil, fmt.Errorf("reading %s: format %d is newer than this program, which knows %d", fileName, version, format)
	case err != nil:
		return nil, fmt.Errorf("%w: %s: %w", ErrIncomplete, fileName, err)
	case CheckID(s.ID) != nil:
		return nil, fmt.Errorf("%w: %s names no container", ErrIncomplete, fileName)
	}
	return s, nil
}

// field reads the value of one field.
func (s *State) field(r *reader, key string) error {
	switch key {
	case "ociVersion":
		return r.text(&s.OCIVersion)
	case "id":
		return r.text(&s.ID)
	case "phase":
		return r.text((*string)(&s.Phase))
	case "bundle":
		return r.text(&s.Bundle)
	case "rootfs":
		return r.text(&s.Rootfs)
	case "created":
		return r.time(&s.Created)
	case "owner":
		return r.int(&s.Owner)
	case "annotations":
		return r.texts(&s.Annotations)
	case "config":
		return r.rest(&s.Config)
	}
	return s.processField(r, key)
}

func (s *State) processField(r *reader, key string) error {
	switch key {
	case "pid":
		return r.int(&s.Pid)
	case "pidStart":
		return r.number(&s.PidStart)
	case "creatorPid":
		return r.int(&s.CreatorPid)
	case "creatorStart":
		return r.number(&s.CreatorStart)
	case "hostMount":
		return r.number(&s.HostMount)
	case "noNewKeyring":
		return r.flag(&s.NoNewKeyring)
	case "timeNamespace":
		return r.flag(&s.TimeNamespace)
	case "descriptors":
		return r.raw(&s.Descriptors)
	case "cgroup":
		return r.raw(&s.Cgroup)
	case "intelRdt":
		return r.raw(&s.IntelRdt)
	case "startSteps":
		return r.raw(&s.StartSteps)
	case "updated":
		return r.raw(&s.Updated)
	}
	return r.raw(new([]byte))
}

func (r *reader) time(v *time.Time) error {
	var text string
	if err := r.text(&text); err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	*v = t.UTC()
	return err
}

// flag reads a JSON true; whatever else is false.
func (r *reader) flag(v *bool) error {
	var text []byte
	err := r.raw(&text)
	*v = string(text) == "true"
	return err
}

// rest takes the last field's value, up to the object's end, without a look
// into it.
func (r *reader) rest(v *[]byte) error {
	end := len(bytes.TrimRight(r.data, " \t\r\n")) - 1
	if end < r.pos || r.data[end] != '}' {
		return r.errorf("the end is missing")
	}
	*v = r.data[r.pos:end:end]
	r.pos = end
	return nil
}

package state

import (
	"fmt"
	"time"

	"github.com/davit-containers/davit/libcontainer/internal/object"
)

// decode reads a state file: fields in any order, config last, unknown fields
// skipped. [ErrIncomplete]: data is not a whole state.
func decode(data []byte) (*State, error) {
	s := &State{}
	version := uint64(format)
	r := object.NewReader(data)
	err := r.Object(func(key string) error {
		if key == "format" {
			return r.Number(&version)
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
func (s *State) field(r *object.Reader, key string) error {
	switch key {
	case "ociVersion":
		return r.Text(&s.OCIVersion)
	case "id":
		return r.Text(&s.ID)
	case "phase":
		return r.Text((*string)(&s.Phase))
	case "bundle":
		return r.Text(&s.Bundle)
	case "rootfs":
		return r.Text(&s.Rootfs)
	case "created":
		return readTime(r, &s.Created)
	case "owner":
		return r.Int(&s.Owner)
	case "annotations":
		return r.Texts(&s.Annotations)
	case "config":
		return r.Rest(&s.Config)
	}
	return s.processField(r, key)
}

func (s *State) processField(r *object.Reader, key string) error {
	switch key {
	case "pid":
		return r.Int(&s.Pid)
	case "pidStart":
		return r.Number(&s.PidStart)
	case "creatorPid":
		return r.Int(&s.CreatorPid)
	case "creatorStart":
		return r.Number(&s.CreatorStart)
	case "hostMount":
		return r.Number(&s.HostMount)
	case "noNewKeyring":
		return r.Flag(&s.NoNewKeyring)
	case "timeNamespace":
		return r.Flag(&s.TimeNamespace)
	case "descriptors":
		return r.Raw(&s.Descriptors)
	case "cgroup":
		return r.Raw(&s.Cgroup)
	case "intelRdt":
		return r.Raw(&s.IntelRdt)
	case "startSteps":
		return r.Raw(&s.StartSteps)
	case "updated":
		return r.Raw(&s.Updated)
	}
	return r.Raw(new([]byte))
}

func readTime(r *object.Reader, v *time.Time) error {
	var text string
	if err := r.Text(&text); err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	*v = t.UTC()
	return err
}

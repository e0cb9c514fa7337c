package state

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// format is the version of the file's format. In format 1 the fields stand in
// the order below, and config is the last: whoever reads may stop there.
const format = 1

// encode writes the state as JSON by hand, because the first use of
// encoding/json in a process costs a quarter of a container's start. Strings
// keep their bytes, UTF-8 or not, as paths must. The parts are to be written
// one after the other: the configuration, the bulk of it, is not copied.
func encode(s *State) [][]byte {
	w := &writer{buf: make([]byte, 0, 2048)}
	w.number("format", format)
	w.text("ociVersion", s.OCIVersion)
	w.text("id", s.ID)
	w.text("phase", string(s.Phase))
	w.number("pid", uint64(s.Pid))
	w.number("pidStart", s.PidStart)
	w.text("bundle", s.Bundle)
	w.text("rootfs", s.Rootfs)
	w.text("created", s.Created.UTC().Format(time.RFC3339Nano))
	w.number("owner", uint64(s.Owner))
	w.texts("annotations", s.Annotations)
	w.number("creatorPid", uint64(s.CreatorPid))
	w.number("creatorStart", s.CreatorStart)
	if s.HostMount != 0 {
		w.number("hostMount", s.HostMount)
	}
	w.flag("noNewKeyring", s.NoNewKeyring)
	w.flag("timeNamespace", s.TimeNamespace)
	w.raw("descriptors", s.Descriptors)
	w.raw("cgroup", s.Cgroup)
	w.raw("intelRdt", s.IntelRdt)
	w.raw("startSteps", s.StartSteps)
	w.raw("updated", s.Updated)
	if len(s.Config) > 0 {
		w.key("config")
	}
	return [][]byte{w.buf, s.Config, []byte("}\n")}
}

// writer appends the fields of one JSON object.
type writer struct{ buf []byte }

func (w *writer) key(name string) {
	sep := byte(',')
	if len(w.buf) == 0 {
		sep = '{'
	}
	w.buf = append(w.buf, sep)
	w.buf = appendText(w.buf, name)
	w.buf = append(w.buf, ':')
}

func (w *writer) number(name string, v uint64) {
	w.key(name)
	w.buf = strconv.AppendUint(w.buf, v, 10)
}

func (w *writer) text(name, v string) {
	w.key(name)
	w.buf = appendText(w.buf, v)
}

// flag appends what is true, and nothing else.
func (w *writer) flag(name string, v bool) {
	if v {
		w.raw(name, []byte("true"))
	}
}

// raw appends a JSON value as it is, and nothing where there is none.
func (w *writer) raw(name string, v []byte) {
	if len(v) == 0 {
		return
	}
	w.key(name)
	w.buf = append(w.buf, v...)
}

func (w *writer) texts(name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	w.key(name)
	inner := &writer{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		inner.text(k, m[k])
	}
	w.buf = append(append(w.buf, inner.buf...), '}')
}

func appendText(buf []byte, s string) []byte {
	const hex = "0123456789abcdef"
	buf = append(buf, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			buf = append(buf, '\\', c)
		case c < ' ':
			buf = append(buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			buf = append(buf, c)
		}
	}
	return append(buf, '"')
}

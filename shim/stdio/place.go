package stdio

import (
	"fmt"
	"net/url"
	"strings"
)

// Place says where the streams of a process lead. A stream is a path, or a
// URL with the scheme fifo, file, binary or binary-v2; "" is the null device.
type Place struct {
	Stdin, Stdout, Stderr string
	Terminal              bool
	UID, GID              int    // of the pipes that the process is given
	ID, Namespace         string // for logging programs
	Own                   *Own   // in place of the names, where it is there
}

// The schemes.
const (
	schemeFIFO     = "fifo"
	schemeFile     = "file"
	schemeBinary   = "binary"
	schemeBinaryV2 = "binary-v2"
)

// parse takes a stream's name apart. A plain path is a FIFO's.
func parse(name string) (*url.URL, error) {
	if strings.HasPrefix(name, "/") {
		return &url.URL{Scheme: schemeFIFO, Path: name}, nil
	}
	u, err := url.Parse(name)
	if err != nil {
		return nil, fmt.Errorf("parsing the stream %q: %w", name, err)
	}
	switch u.Scheme {
	case "":
		u.Scheme = schemeFIFO
	case schemeFIFO, schemeFile, schemeBinary, schemeBinaryV2:
	default:
		return nil, fmt.Errorf("unknown STDIO scheme %s", u.Scheme)
	}
	return u, nil
}

func isLogger(u *url.URL) bool {
	return u != nil && (u.Scheme == schemeBinary || u.Scheme == schemeBinaryV2)
}

// outputs are the parsed names of stdout and stderr; nil for the null device.
// Compat(containerd): a file or a logging program named for stdout gets stderr
// too, unless that has a name of its own.
func (p *Place) outputs() (list [2]*url.URL, err error) {
	for i, name := range []string{p.Stdout, p.Stderr} {
		if name == "" {
			continue
		}
		if list[i], err = parse(name); err != nil {
			return list, err
		}
	}
	if list[1] == nil && list[0] != nil && list[0].Scheme != schemeFIFO {
		list[1] = list[0]
	}
	return list, nil
}

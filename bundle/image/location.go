package image

import (
	"fmt"
	"strings"
)

// Transport is a kind of place that images are in.
type Transport string

// The transports, named as in "docker://NAME", "oci:DIR[:NAME]",
// "oci-archive:FILE[:NAME]" and "docker-archive:FILE[:NAME]".
const (
	Registry      Transport = "docker"
	Layout        Transport = "oci"
	OCIArchive    Transport = "oci-archive"
	DockerArchive Transport = "docker-archive"
)

// Location says where an image is.
type Location struct {
	Transport Transport
	// Path is the directory's or the file's; "" for a registry.
	Path string
	// Name is the image's there, as it was written. It may be "", except for a registry.
	Name string
}

// ParseLocation reads a location. What begins with no transport is a name in a
// registry. A path has no colon in it.
func ParseLocation(s string) (Location, error) {
	if name, ok := strings.CutPrefix(s, "docker://"); ok {
		return registryLocation(name)
	}
	transport, rest, ok := strings.Cut(s, ":")
	switch t := Transport(transport); {
	case ok && (t == Layout || t == OCIArchive || t == DockerArchive):
		path, name, _ := strings.Cut(rest, ":")
		if path == "" {
			return Location{}, fmt.Errorf("reading %q: no path after %q", s, transport+":")
		}
		return Location{Transport: t, Path: path, Name: name}, nil
	}
	return registryLocation(s)
}

func registryLocation(name string) (Location, error) {
	if _, err := ParseName(name); err != nil {
		return Location{}, err
	}
	return Location{Transport: Registry, Name: name}, nil
}

// String is the location as it is written.
func (l Location) String() string {
	if l.Transport == Registry {
		return "docker://" + l.Name
	}
	s := string(l.Transport) + ":" + l.Path
	if l.Name != "" {
		s += ":" + l.Name
	}
	return s
}

package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ContainersFiles are the files in which podman, skopeo and CRI-O look for
// registries: the machine's, or the user's instead, and then what is added in
// folders beside.
// Compat(containers): containers-registries.conf(5), version 2.
func ContainersFiles() []string {
	const name = "containers/registries.conf"
	files, folders := []string{filepath.Join("/etc", name)}, []string{filepath.Join("/etc", name+".d")}
	if dir, err := os.UserConfigDir(); err == nil {
		own := filepath.Join(dir, name)
		if _, err := os.Stat(own); err == nil {
			files[0] = own
		}
		folders = append(folders, own+".d")
	}
	for _, folder := range folders {
		more, _ := filepath.Glob(filepath.Join(folder, "*.conf")) // sorted
		files = append(files, more...)
	}
	return files
}

// containersFile is a registries.conf. What it says of names without a host is not
// used: they are Docker's.
type containersFile struct {
	Registry []containersRegistry `toml:"registry"`
}

// containersRegistry is what is set for names with a prefix.
type containersRegistry struct {
	Prefix   string             `toml:"prefix"`
	Location string             `toml:"location"`
	Insecure bool               `toml:"insecure"`
	Blocked  bool               `toml:"blocked"`
	ByDigest bool               `toml:"mirror-by-digest-only"`
	Mirror   []containersMirror `toml:"mirror"`
	file     string
}

type containersMirror struct {
	Location string `toml:"location"`
	Insecure bool   `toml:"insecure"`
	For      string `toml:"pull-from-mirror"` // all, digest-only or tag-only
}

// containersRegistry is what is set for a repository: of the longest prefix, and of
// several files the last; nil for nothing.
func (c *Config) containersRegistry(repository string) (*containersRegistry, error) {
	var best *containersRegistry
	for _, path := range c.ContainersFiles {
		var file containersFile
		if _, err := readTOML(path, &file); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		for _, r := range file.Registry {
			if r.Prefix == "" {
				r.Prefix = r.Location
			}
			r.file = path
			if _, ok := r.rest(repository); ok && (best == nil || len(r.Prefix) >= len(best.Prefix)) {
				best = &r
			}
		}
	}
	return best, nil
}

// rest is what follows the prefix in a repository's name.
func (r *containersRegistry) rest(repository string) (string, bool) {
	if suffix, ok := strings.CutPrefix(r.Prefix, "*"); ok {
		host, path, _ := strings.Cut(repository, "/")
		return "/" + path, strings.HasPrefix(suffix, ".") && strings.HasSuffix(host, suffix)
	}
	rest, ok := strings.CutPrefix(repository, r.Prefix)
	return rest, ok && r.Prefix != "" && (rest == "" || rest[0] == '/')
}

// places are those of a repository: the mirrors, then the registry.
func (r *containersRegistry) places(c *Config, repository string) ([]*place, error) {
	if r.Blocked {
		return nil, fmt.Errorf("%s: %w: %s blocks it", repository, errNotAllowed, r.file)
	}
	rest, _ := r.rest(repository)
	var places []*place
	for _, m := range r.Mirror {
		p := c.at(m.Location+rest, m.Insecure)
		p.noTags, p.noDigests = r.ByDigest || m.For == "digest-only", m.For == "tag-only"
		places = append(places, p)
	}
	origin := repository
	if r.Location != "" {
		origin = r.Location + rest
	}
	return append(places, c.at(origin, r.Insecure)), nil
}

// at is a repository by its host and path. Where it is insecure, certificates are
// not looked at, and http is allowed where there is no https.
func (c *Config) at(repository string, insecure bool) *place {
	host, path, _ := strings.Cut(repository, "/")
	p := &place{host: host, path: path, settings: c.of(host)}
	p.settings.skipVerify = insecure
	p.settings.PlainHTTP = p.settings.PlainHTTP || insecure
	return p
}

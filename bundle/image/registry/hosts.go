package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// hostsName is containerd's file for a registry, in its folder of certs.d, and
// defaultFolder that for all registries which have none.
const (
	hostsName     = "hosts.toml"
	defaultFolder = "_default"
)

// hostsFile is a hosts.toml: what is asked before a registry, and how.
// Source: containerd docs/hosts.md
type hostsFile struct {
	Server string               `toml:"server"`
	Host   map[string]hostTable `toml:"host"`
	hostTable
}

// hostTable is what is set for one of its hosts.
type hostTable struct {
	Capabilities []string       `toml:"capabilities"`
	CA           any            `toml:"ca"`     // a path, or several
	Client       any            `toml:"client"` // a path, several, or pairs of paths
	SkipVerify   bool           `toml:"skip_verify"`
	OverridePath bool           `toml:"override_path"`
	Header       map[string]any `toml:"header"`
}

// hosts are the places that a hosts.toml says for a repository; none where there is
// no such file.
func (c *Config) hosts(host, path string) ([]*place, error) {
	folder := c.folder(host)
	if folder == "" {
		folder = c.folder(defaultFolder)
	}
	if folder == "" {
		return nil, nil
	}
	var file hostsFile
	name := filepath.Join(folder, hostsName)
	raw, err := readTOML(name, &file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var places []*place
	for _, u := range file.order(raw) {
		p, err := c.hostPlace(folder, u, path, file.Host[u])
		if err != nil {
			return nil, fmt.Errorf("reading %s: host %q: %w", name, u, err)
		}
		places = append(places, p)
	}
	if file.Server == "" {
		file.Server = "https://" + host
	}
	p, err := c.hostPlace(folder, file.Server, path, file.hostTable)
	if err != nil {
		return nil, fmt.Errorf("reading %s: server: %w", name, err)
	}
	p.noTags, p.noDigests, p.noBlobs = false, false, false // it is the last that could be asked
	return append(places, p), nil
}

// order are the hosts as they stand in the file: so they are asked.
func (f *hostsFile) order(raw []byte) []string {
	var all []string
	for u := range f.Host {
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b string) int {
		return bytes.Index(raw, []byte(`host."`+a+`"`)) - bytes.Index(raw, []byte(`host."`+b+`"`))
	})
	return all
}

// hostPlace is a repository on a host. The registry's API is expected below /v2, as
// everywhere; a path is what goes before the repository's name.
func (c *Config) hostPlace(folder, server, path string, t hostTable) (*place, error) {
	if !strings.Contains(server, "://") {
		server = "https://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("it is no address with http or https")
	}
	prefix := strings.Trim(u.Path, "/")
	if t.OverridePath {
		var below bool
		if prefix, below = strings.CutPrefix(prefix+"/", "v2/"); !below {
			return nil, errors.New("override_path: only paths below /v2 are known")
		}
		prefix = strings.Trim(prefix, "/")
	} else if prefix != "" && prefix != "v2" {
		return nil, errors.New("a path without override_path: only /v2 is known")
	} else {
		prefix = ""
	}
	if len(t.Header) > 0 {
		return nil, errors.New("header: it is not known")
	}
	p := &place{host: u.Host, path: strings.TrimPrefix(prefix+"/"+path, "/"), settings: c.of(u.Host)}
	p.settings.PlainHTTP = p.settings.PlainHTTP || u.Scheme == "http"
	p.settings.skipVerify = t.SkipVerify
	if len(t.Capabilities) > 0 {
		p.noTags, p.noDigests = !slices.Contains(t.Capabilities, "resolve"), !slices.Contains(t.Capabilities, "pull")
		p.noBlobs = p.noDigests
	}
	return p, p.settings.addFiles(folder, t)
}

// addFiles adds the certificates that a table names; paths begin in the folder.
func (s *Settings) addFiles(folder string, t hostTable) error {
	for _, ca := range texts(t.CA) {
		s.authorities = append(s.authorities, within(folder, ca))
	}
	list, ok := t.Client.([]any)
	if !ok {
		list = []any{t.Client}
	}
	for _, one := range list {
		switch pair := texts(one); len(pair) {
		case 0:
		case 1:
			s.pairs = append(s.pairs, [2]string{within(folder, pair[0]), within(folder, pair[0])})
		case 2:
			s.pairs = append(s.pairs, [2]string{within(folder, pair[0]), within(folder, pair[1])})
		default:
			return errors.New("client: it is a path, or pairs of paths")
		}
	}
	return nil
}

// texts are a value's: one, or those of a list.
func texts(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	var all []string
	list, _ := v.([]any)
	for _, one := range list {
		if s, ok := one.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

func within(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Config is what is set for registries.
type Config struct {
	// Registries are settings by the registry's host, with its port if it has one,
	// as it stands in images' names: "docker.io", "registry.example:5000".
	Registries map[string]Settings `json:"registries"`

	// CertificateDirs are directories that have one for each registry's host: see
	// [CertificateDirs]. Of those that a host has, the first counts.
	CertificateDirs []string `json:"-"`
	// ContainersFiles are other programs' settings: see [ContainersFiles].
	ContainersFiles []string `json:"-"`
}

// Settings are those of one registry or mirror.
type Settings struct {
	// Mirrors are asked before the registry, in their order: a host, with a port
	// and a path if it has them, each with its own settings and credentials.
	Mirrors []string `json:"mirrors,omitempty"`
	// PlainHTTP allows http where there is no https. Loopback needs no leave.
	PlainHTTP bool `json:"plainHTTP,omitempty"`
	// CA is a file of certificates, in PEM, that the registry's may be signed with.
	CA string `json:"ca,omitempty"`
	// Certificate and Key are files, in PEM, that the client shows.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`

	folder      string // one of certificates and keys; "" for none
	authorities []string
	pairs       [][2]string // of certificates and keys
	skipVerify  bool        // certificates are not looked at
}

// ConfigPaths are the files that are read unless others are named: the
// machine's, and the user's, which wins.
func ConfigPaths() []string {
	paths := []string{"/etc/davit/registries.json"}
	if dir, err := os.UserConfigDir(); err == nil {
		paths = append(paths, filepath.Join(dir, "davit", "registries.json"))
	}
	return paths
}

// ReadConfig reads configuration files, of which later ones win, registry by
// registry. A file that is not there is no error.
func ReadConfig(paths ...string) (*Config, error) {
	config := &Config{Registries: map[string]Settings{}}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := config.merge(raw); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
	}
	return config, nil
}

func (c *Config) merge(raw []byte) error {
	var one Config
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&one); err != nil {
		return err
	}
	for host, settings := range one.Registries {
		c.Registries[host] = settings
	}
	return nil
}

// of are the settings of a host. A nil Config has none.
func (c *Config) of(host string) Settings {
	if c == nil {
		return Settings{}
	}
	s := c.Registries[host]
	s.folder = c.folder(host)
	return s
}

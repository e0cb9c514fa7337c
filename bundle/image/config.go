package image

import (
	"encoding/json"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ParseConfig checks an image's configuration against its manifest: there is
// one diff_id for each layer.
//
// Spec: config.md#properties
func ParseConfig(raw []byte, m *v1.Manifest) (*v1.ConfigFile, error) {
	var c v1.ConfigFile
	if err := decode(raw, "configuration", &c, "architecture", "os", "rootfs", "config", "history"); err != nil {
		return nil, err
	}
	if _, err := ParseDiffIDs(raw, len(m.Layers)); err != nil {
		return nil, err
	}
	if c.RootFS.Type != "layers" {
		return nil, Rejected("reading the configuration: the type of rootfs is %q, not \"layers\"", c.RootFS.Type)
	}
	return &c, nil
}

// ParseDiffIDs reads the diff_ids of a configuration as they are written: null
// is none. There must be one for each layer.
func ParseDiffIDs(raw []byte, layers int) ([]v1.Hash, error) {
	var c struct {
		RootFS struct {
			DiffIDs []*v1.Hash `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, Rejected("reading the configuration: %v", err)
	}
	if n := len(c.RootFS.DiffIDs); n != layers {
		return nil, Rejected("reading the configuration: it has %d diff_ids, and the manifest %d layers", n, layers)
	}
	ids := make([]v1.Hash, layers)
	for i, id := range c.RootFS.DiffIDs {
		if id == nil {
			return nil, Rejected("reading the configuration: diff_id %d is null", i)
		}
		ids[i] = *id
	}
	return ids, nil
}

// Config is an image's configuration, with what package v1 does not know of it.
type Config struct {
	v1.ConfigFile
	// StartInterval is the time between checks of health in the start period; 0 for
	// none of its own.
	// Compat(moby): its configurations have it beside the StartPeriod.
	StartInterval time.Duration
}

// Defaults are what a configuration says of its containers.
type Defaults struct {
	v1.Config
	Healthcheck *Health `json:"Healthcheck,omitempty"`
}

// Health is how it is seen that a container is well.
type Health struct {
	v1.HealthConfig
	StartInterval time.Duration `json:",omitempty"` // nanoseconds
}

// Defaults are what the configuration says of its containers, as it is written.
func (c *Config) Defaults() Defaults {
	d := Defaults{Config: c.Config}
	if h := c.Config.Healthcheck; h != nil {
		d.Healthcheck = &Health{HealthConfig: *h, StartInterval: c.StartInterval}
	}
	return d
}

// DeepCopy is a copy that shares nothing.
func (c *Config) DeepCopy() *Config {
	return &Config{ConfigFile: *c.ConfigFile.DeepCopy(), StartInterval: c.StartInterval}
}

// MarshalJSON writes the configuration.
func (c *Config) MarshalJSON() ([]byte, error) {
	if c.StartInterval == 0 {
		return json.Marshal(&c.ConfigFile)
	}
	return json.Marshal(struct {
		*v1.ConfigFile
		Config Defaults `json:"config"`
	}{&c.ConfigFile, c.Defaults()})
}

// OwnConfig is a copy of the image's configuration, which may be changed.
func (i *Image) OwnConfig() *Config {
	return &Config{ConfigFile: *i.config.DeepCopy(), StartInterval: i.StartInterval()}
}

// StartInterval is the health check's [Config.StartInterval].
func (i *Image) StartInterval() time.Duration {
	if i.config.Config.Healthcheck == nil {
		return 0
	}
	var c struct {
		Config struct {
			Healthcheck struct{ StartInterval time.Duration }
		} `json:"config"`
	}
	if json.Unmarshal(i.rawConfig, &c) != nil {
		return 0
	}
	return c.Config.Healthcheck.StartInterval
}

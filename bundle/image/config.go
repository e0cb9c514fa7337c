package image

import (
	"encoding/json"

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

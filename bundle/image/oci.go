package image

import (
	"encoding/json"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// OCI is the image with a manifest of OCI's format. Configuration and layers
// are the same bytes, so the ID stays; the manifest's digest changes where it
// had Docker's format, and the old one is kept in [Image.Origins].
func (i *Image) OCI() (*Image, error) {
	if i.descriptor.MediaType == types.OCIManifestSchema1 {
		return i, nil
	}
	m := i.manifest.DeepCopy()
	m.MediaType = types.OCIManifestSchema1
	m.Config.MediaType = types.OCIConfigJSON
	for n := range m.Layers {
		m.Layers[n].MediaType = layerTypes[m.Layers[n].MediaType]
	}
	return i.with(m)
}

// with is the image with another manifest of the same configuration.
func (i *Image) with(m *v1.Manifest) (*Image, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	d, err := Describe(raw, m.MediaType)
	if err != nil {
		return nil, err
	}
	other := *i
	other.manifest, other.raw, other.descriptor = m, raw, d
	return &other, nil
}

// Describe is the descriptor of a document.
func Describe(raw []byte, mediaType types.MediaType) (v1.Descriptor, error) {
	sum, err := Sum("sha256", raw)
	return v1.Descriptor{MediaType: mediaType, Size: int64(len(raw)), Digest: sum}, err
}

// New makes an image of a configuration and its layers, in OCI's format. The
// layers' bytes come from b.
func New(b Blobs, c *Config, layers []v1.Descriptor) (*Image, error) {
	rawConfig, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return FromConfig(b, rawConfig, layers)
}

// FromConfig is [New] for a configuration whose bytes are given.
func FromConfig(b Blobs, rawConfig []byte, layers []v1.Descriptor) (*Image, error) {
	config, err := Describe(rawConfig, types.OCIConfigJSON)
	if err != nil {
		return nil, err
	}
	m := &v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config, Layers: layers}
	if m.Layers == nil {
		m.Layers = []v1.Descriptor{}
	}
	if err := checkManifest(m); err != nil {
		return nil, err
	}
	c, err := ParseConfig(rawConfig, m)
	if err != nil {
		return nil, err
	}
	i, err := (&Image{blobs: b, manifest: m, rawConfig: rawConfig, config: c}).with(m)
	if err == nil {
		i.origins = []v1.Hash{i.descriptor.Digest}
	}
	return i, err
}

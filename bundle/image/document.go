package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// MaxDocument bounds a manifest, an index and a configuration, in bytes.
// CVE-2023-25153: a document of any size fills the memory.
//
// Source: distribution-spec, "Pushing Manifests": registries take at least 4 MiB.
const MaxDocument = 4 << 20

// maxLayers bounds an image. Source: Linux, fs/overlayfs/params.c: OVL_MAX_STACK.
const maxLayers = 500

// decode reads one whole JSON document into v. known are the keys of its top
// level that have a meaning: each may come once, and in no other spelling, so
// that no two readers see different documents.
func decode(raw []byte, what string, v any, known ...string) error {
	if len(raw) > MaxDocument {
		return Rejected("reading the %s: it has more than %d bytes", what, MaxDocument)
	}
	if err := unambiguous(raw, known); err != nil {
		return Rejected("reading the %s: %v", what, err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return Rejected("reading the %s: %v", what, err)
	}
	return nil
}

func unambiguous(raw []byte, known []string) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("it is no JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := once(key.(string), known, seen); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("something follows the JSON object")
	}
	return nil
}

// once refuses a key that comes twice, or in a spelling that only some readers take.
func once(key string, known []string, seen map[string]bool) error {
	for _, k := range known {
		if !strings.EqualFold(k, key) {
			continue
		}
		if k != key {
			return fmt.Errorf("%q is written %q", k, key)
		}
		if seen[k] {
			return fmt.Errorf("%q comes twice", k)
		}
		seen[k] = true
	}
	return nil
}

// keys are those of manifests and indexes of every format. Each format has its
// own, and another's make it ambiguous.
//
// CVE-2021-41190: one document was a manifest to one reader and an index to another.
var keys = []string{"schemaVersion", "mediaType", "config", "layers", "manifests", "fsLayers", "history", "subject", "artifactType", "annotations"}

// shape is what tells one kind of document from another.
type shape struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     types.MediaType `json:"mediaType"`
	Config        json.RawMessage `json:"config"`
	Layers        json.RawMessage `json:"layers"`
	Manifests     json.RawMessage `json:"manifests"`
	FSLayers      json.RawMessage `json:"fsLayers"`
	ArtifactType  string          `json:"artifactType"`
}

// checkShape checks that a document is what its media type says, and says it itself.
func checkShape(raw []byte, mediaType types.MediaType) (shape, error) {
	var s shape
	if err := decode(raw, "manifest", &s, keys...); err != nil {
		return s, err
	}
	if s.SchemaVersion == 1 || s.FSLayers != nil || mediaType.IsSchema1() {
		return s, Rejected("reading the manifest: schema version 1 is not supported (build the image again with a current tool)")
	}
	if s.SchemaVersion != 2 {
		return s, Rejected("reading the manifest: schemaVersion is %d, not 2", s.SchemaVersion)
	}
	if s.MediaType != "" && s.MediaType != mediaType {
		return s, Rejected("reading the manifest: it says that it is %q, and its descriptor %q", s.MediaType, mediaType)
	}
	return s, s.only(mediaType)
}

// only refuses what belongs into another kind of document.
func (s shape) only(mediaType types.MediaType) error {
	switch {
	case mediaType.IsIndex() && (s.Config != nil || s.Layers != nil):
		return Rejected("reading the index: it has a manifest's config or layers")
	case mediaType.IsImage() && s.Manifests != nil:
		return Rejected("reading the manifest: it has an index's manifests")
	}
	return nil
}

// ParseIndex checks an index.
func ParseIndex(raw []byte, mediaType types.MediaType) (*v1.IndexManifest, error) {
	s, err := checkShape(raw, mediaType)
	if err != nil {
		return nil, err
	}
	if s.ArtifactType != "" {
		return nil, Rejected("reading the index: it is an artifact of type %q, not an image", s.ArtifactType)
	}
	var index v1.IndexManifest
	if err := decode(raw, "index", &index); err != nil {
		return nil, err
	}
	for _, d := range index.Manifests {
		if err := CheckDescriptor(d); err != nil {
			return nil, err
		}
	}
	return &index, nil
}

// ParseManifest checks an image's manifest. An artifact is refused.
func ParseManifest(raw []byte, mediaType types.MediaType) (*v1.Manifest, error) {
	s, err := checkShape(raw, mediaType)
	if err != nil {
		return nil, err
	}
	if s.ArtifactType != "" {
		return nil, Rejected("reading the manifest: it is an artifact of type %q, not an image", s.ArtifactType)
	}
	var m v1.Manifest
	if err := decode(raw, "manifest", &m); err != nil {
		return nil, err
	}
	return &m, checkManifest(&m)
}

func checkManifest(m *v1.Manifest) error {
	if !m.Config.MediaType.IsConfig() {
		return Rejected("reading the manifest: it is an artifact of type %q, not an image", m.Config.MediaType)
	}
	if err := CheckDescriptor(m.Config); err != nil {
		return err
	}
	if m.Config.Size > MaxDocument {
		return Rejected("reading the manifest: the configuration has %d bytes, more than %d", m.Config.Size, MaxDocument)
	}
	if len(m.Layers) > maxLayers {
		return Rejected("reading the manifest: %d layers are more than %d", len(m.Layers), maxLayers)
	}
	for _, d := range m.Layers {
		if err := checkLayer(d); err != nil {
			return err
		}
	}
	return nil
}

func checkLayer(d v1.Descriptor) error {
	if _, ok := layerTypes[d.MediaType]; !ok {
		return Rejected("reading the manifest: %q is no type of a layer", d.MediaType)
	}
	return CheckDescriptor(d)
}

// CheckDescriptor checks what a descriptor says of its blob: that it has a
// digest, as v1.Hash has read it, and a size.
//
// CVE-2024-3727: a digest such as "sha256:../../x" became a path; v1.Hash takes
// hexadecimal digits alone.
func CheckDescriptor(d v1.Descriptor) error {
	if d.Digest.Hex == "" {
		return Rejected("reading the manifest: a descriptor of type %q has no digest", d.MediaType)
	}
	if _, err := v1.NewHash(d.Digest.String()); err != nil {
		return Rejected("reading the manifest: %v", err)
	}
	if d.Size < 0 {
		return Rejected("reading the manifest: the size of %s is %d", d.Digest, d.Size)
	}
	return nil
}

// Types of layers that Docker's and OCI's lists have beyond those of the library.
const (
	dockerLayerZstd    types.MediaType = "application/vnd.docker.image.rootfs.diff.tar.zstd"
	ociRestrictedZstd  types.MediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
	dockerLayerPlain   types.MediaType = "application/vnd.docker.image.rootfs.diff.tar"
	dockerForeignPlain types.MediaType = "application/vnd.docker.image.rootfs.foreign.diff.tar"
)

// layerTypes are the types of layers, with OCI's name for each.
var layerTypes = map[types.MediaType]types.MediaType{
	types.OCILayer:                       types.OCILayer,
	types.OCILayerZStd:                   types.OCILayerZStd,
	types.OCIUncompressedLayer:           types.OCIUncompressedLayer,
	types.OCIRestrictedLayer:             types.OCIRestrictedLayer,
	types.OCIUncompressedRestrictedLayer: types.OCIUncompressedRestrictedLayer,
	ociRestrictedZstd:                    ociRestrictedZstd,
	types.DockerLayer:                    types.OCILayer,
	dockerLayerPlain:                     types.OCIUncompressedLayer,
	dockerLayerZstd:                      types.OCILayerZStd,
	types.DockerForeignLayer:             types.OCIRestrictedLayer,
	dockerForeignPlain:                   types.OCIUncompressedRestrictedLayer,
}

// MediaType is what a document is: what its server said, or, where the server
// said nothing ("") the document itself.
func MediaType(raw []byte, said types.MediaType) (types.MediaType, error) {
	if said != "" {
		return said, nil
	}
	var s shape
	if err := decode(raw, "manifest", &s, keys...); err != nil {
		return "", err
	}
	if s.FSLayers != nil {
		return types.DockerManifestSchema1, nil
	}
	if s.MediaType == "" {
		return "", Rejected("reading the manifest: neither it nor its server says what it is")
	}
	return s.MediaType, nil
}

package image

import (
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Name is an image's name in a registry, and in the store: a repository with
// its host, and a tag or a digest or both.
type Name struct {
	repository string
	tag        string
	digest     string
}

// ParseName reads a name as Docker does: "busybox" is
// "docker.io/library/busybox:latest".
func ParseName(s string) (Name, error) {
	repository, tag, digest, err := splitName(s)
	if err == nil && digest != "" {
		_, err = v1.NewHash(digest)
	}
	if err != nil {
		return Name{}, fmt.Errorf("reading image name %q: %w", s, err)
	}
	if tag == "" && digest == "" {
		tag = "latest"
	}
	return Name{repository, tag, digest}, nil
}

// Repository is the name with its host, without tag and digest.
func (n Name) Repository() string { return n.repository }

// Host is the registry's host, with its port if it has one.
func (n Name) Host() string {
	host, _, _ := strings.Cut(n.repository, "/")
	return host
}

// Path is the repository without its host.
func (n Name) Path() string {
	_, path, _ := strings.Cut(n.repository, "/")
	return path
}

// Tag is the tag, or "" for a name with a digest alone.
func (n Name) Tag() string { return n.tag }

// Digest is the digest, and whether there is one.
func (n Name) Digest() (v1.Hash, bool) {
	h, err := v1.NewHash(n.digest)
	return h, err == nil
}

// Identifier is what a registry is asked for: the digest, or else the tag.
func (n Name) Identifier() string {
	if n.digest != "" {
		return n.digest
	}
	return n.tag
}

// String is the whole name: "docker.io/library/busybox:latest".
func (n Name) String() string { return n.with(n.repository) }

// Familiar is the name as Docker shows it: "busybox:latest".
func (n Name) Familiar() string { return n.with(n.FamiliarRepository()) }

// FamiliarRepository is the repository as Docker shows it: "busybox".
func (n Name) FamiliarRepository() string {
	path, ok := strings.CutPrefix(n.repository, "docker.io/")
	if !ok {
		return n.repository
	}
	if short, ok := strings.CutPrefix(path, "library/"); ok && !strings.Contains(short, "/") {
		return short
	}
	return path
}

func (n Name) with(repository string) string {
	if n.tag != "" {
		repository += ":" + n.tag
	}
	if n.digest != "" {
		repository += "@" + n.digest
	}
	return repository
}

// IsZero tells whether there is no name at all.
func (n Name) IsZero() bool { return n.repository == "" }

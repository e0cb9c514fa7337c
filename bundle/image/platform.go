package image

import (
	"fmt"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Host is the platform that this program was built for.
func Host() v1.Platform {
	return v1.Platform{OS: "linux", Architecture: runtime.GOARCH, Variant: hostVariant()}
}

func hostVariant() string {
	switch runtime.GOARCH {
	case "arm":
		return "v7"
	case "arm64":
		return "v8"
	}
	return ""
}

// ParsePlatform reads "os/architecture[/variant]", or an architecture alone.
func ParsePlatform(s string) (v1.Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) == 1 {
		parts = []string{"linux", s}
	}
	for _, p := range parts {
		if p == "" || len(parts) > 3 {
			return v1.Platform{}, fmt.Errorf("reading platform %q: it is no os/architecture[/variant]", s)
		}
	}
	parts = append(parts, "")
	return normalised(v1.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}), nil
}

// normalised writes one platform in one way.
// Source: github.com/containerd/platforms, the aliases that users type.
func normalised(p v1.Platform) v1.Platform {
	p.OS, p.Architecture, p.Variant = strings.ToLower(p.OS), strings.ToLower(p.Architecture), strings.ToLower(p.Variant)
	switch p.Architecture {
	case "x86_64", "x86-64":
		p.Architecture = "amd64"
	case "aarch64":
		p.Architecture = "arm64"
	case "i386":
		p.Architecture = "386"
	case "armhf":
		p.Architecture, p.Variant = "arm", "v7"
	case "armel":
		p.Architecture, p.Variant = "arm", "v6"
	}
	if p.Architecture == "arm64" && (p.Variant == "8" || p.Variant == "") {
		p.Variant = "v8"
	}
	if p.Architecture == "arm" && p.Variant == "" {
		p.Variant = "v7"
	}
	if p.Architecture == "amd64" && p.Variant == "v1" {
		p.Variant = ""
	}
	return p
}

// rank says how well an image of platform have runs where want is asked for: 0
// not at all, and the larger the better. An arm processor runs what was built
// for an older one.
func rank(have, want v1.Platform) int {
	have, want = normalised(have), normalised(want)
	if have.OS != want.OS || have.Architecture != want.Architecture {
		return 0
	}
	if have.Variant == want.Variant {
		return 100
	}
	if have.Architecture == "arm" && have.Variant < want.Variant {
		return 1 + int(have.Variant[len(have.Variant)-1]-'0')
	}
	return 0
}

// Choose is the manifest of an index for a platform. Of equally good ones it is
// the first.
//
// Spec: image-index.md#image-index-property-descriptions: "If multiple
// manifests match a client or runtime's requirements, the first matching entry
// SHOULD be used."
func Choose(manifests []v1.Descriptor, want v1.Platform) (v1.Descriptor, error) {
	best, bestRank := v1.Descriptor{}, 0
	var have []string
	for _, d := range manifests {
		if d.Platform == nil {
			continue
		}
		have = append(have, d.Platform.String())
		if r := rank(*d.Platform, want); r > bestRank {
			best, bestRank = d, r
		}
	}
	if bestRank > 0 {
		return best, nil
	}
	if len(manifests) == 1 && manifests[0].Platform == nil {
		return manifests[0], nil
	}
	if len(have) == 0 {
		return v1.Descriptor{}, fmt.Errorf("%w for %s: the index names no platforms", ErrNotFound, want)
	}
	return v1.Descriptor{}, fmt.Errorf("%w for %s: the index has %s", ErrNotFound, want, strings.Join(have, ", "))
}

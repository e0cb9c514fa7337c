package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/davit-containers/davit/bundle/internal/inmemory"
)

// add adds a blob.
func add(m inmemory.Blobs, raw string, mediaType types.MediaType) v1.Descriptor {
	return m.Add([]byte(raw), mediaType)
}

func text(v any) string {
	raw, _ := json.Marshal(v)
	return string(raw)
}

const (
	zero = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	one  = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
)

// goodConfig is a configuration with two layers.
const goodConfig = `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["` + zero + `","` + one + `"]},"config":{"Cmd":["sh"]}}`

// manifest is the text of a manifest whose configuration is a blob of m.
func manifest(m inmemory.Blobs, config string) string {
	c := add(m, config, types.OCIConfigJSON)
	return `{"schemaVersion":2,"mediaType":"` + string(types.OCIManifestSchema1) + `","config":` + text(c) + `,"layers":[` +
		`{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"` + zero + `","size":10},` +
		`{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"` + one + `","size":0}]}`
}

func TestManifestsThatAreRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		// config and change make a bad image of a good one.
		config string
		change [2]string
		says   string
	}{
		{"no diff_ids", `{"rootfs":{"type":"layers"}}`, [2]string{}, "0 diff_ids"},
		{"null diff_ids", `{"rootfs":{"type":"layers","diff_ids":null}}`, [2]string{}, "0 diff_ids"},
		{"no rootfs", `{}`, [2]string{}, "0 diff_ids"},
		{"too few diff_ids", `{"rootfs":{"type":"layers","diff_ids":["` + zero + `"]}}`, [2]string{}, "1 diff_ids"},
		{"too many diff_ids", strings.Replace(goodConfig, zero, zero+`","`+zero, 1), [2]string{}, "3 diff_ids"},
		{"a null diff_id", strings.Replace(goodConfig, `"`+zero+`"`, "null", 1), [2]string{}, ""},
		{"a diff_id that is a path", strings.Replace(goodConfig, zero, "sha256:../../x", 1), [2]string{}, ""},
		{"another type of rootfs", strings.Replace(goodConfig, "layers", "other", 1), [2]string{}, "the type of rootfs"},
		{"a configuration that is none", `[]`, [2]string{}, "no JSON object"},
		{"rootfs twice", strings.Replace(goodConfig, `"os":"linux"`, `"rootfs":{"type":"layers","diff_ids":["`+zero+`"]}`, 1), [2]string{}, "comes twice"},
		{"rootfs in another spelling", strings.Replace(goodConfig, `"os":"linux"`, `"RootFS":{}`, 1), [2]string{}, "is written"},
		{"schema version 1", goodConfig, [2]string{`"schemaVersion":2`, `"schemaVersion":1`}, "schema version 1"},
		{"schema version 3", goodConfig, [2]string{`"schemaVersion":2`, `"schemaVersion":3`}, "schemaVersion is 3"},
		{"no schema version", goodConfig, [2]string{`"schemaVersion":2,`, ``}, "schemaVersion is 0"},
		{"a digest that is a path", goodConfig, [2]string{zero, "sha256:../../x"}, ""},
		{"a digest of another length", goodConfig, [2]string{zero, "sha256:00"}, ""},
		{"a digest in capitals", goodConfig, [2]string{zero, strings.Replace(zero, "0", "A", 1)}, ""},
		{"an unknown algorithm", goodConfig, [2]string{zero, "md5:00000000000000000000000000000000"}, ""},
		{"no digest", goodConfig, [2]string{`"digest":"` + zero + `",`, ""}, "no digest"},
		{"a negative size", goodConfig, [2]string{`"size":10`, `"size":-1`}, "is -1"},
		{"a size that is no number", goodConfig, [2]string{`"size":10`, `"size":1e400`}, ""},
		{"a size that is too large", goodConfig, [2]string{`"size":10`, `"size":9223372036854775808`}, ""},
		{"a layer of an unknown type", goodConfig, [2]string{"application/vnd.oci.image.layer.v1.tar+gzip", "application/wasm"}, "no type of a layer"},
		{"an artifact by its type", goodConfig, [2]string{`"schemaVersion":2`, `"schemaVersion":2,"artifactType":"application/x"`}, "artifact"},
		{"an artifact by its configuration", goodConfig, [2]string{string(types.OCIConfigJSON), "application/vnd.oci.empty.v1+json"}, "artifact"},
		{"a manifest that says it is an index", goodConfig, [2]string{string(types.OCIManifestSchema1), string(types.OCIImageIndex)}, "its descriptor"},
		{"a manifest that is an index too", goodConfig, [2]string{`"schemaVersion":2`, `"schemaVersion":2,"manifests":[]`}, "an index's manifests"},
		{"layers twice", goodConfig, [2]string{`"schemaVersion":2`, `"schemaVersion":2,"layers":[]`}, "comes twice"},
		{"layers in another spelling", goodConfig, [2]string{`"schemaVersion":2`, `"schemaVersion":2,"Layers":[]`}, "is written"},
		{"something after it", goodConfig, [2]string{`"size":0}]}`, `"size":0}]}{}`}, "follows"},
		{"half of it", goodConfig, [2]string{`"size":0}]}`, `"size":0}`}, ""},
		{"a configuration of another size", goodConfig, [2]string{fmt.Sprintf(`"size":%d`, len(goodConfig)), fmt.Sprintf(`"size":%d`, len(goodConfig)-1)}, "more than"},
		{"a huge configuration", goodConfig, [2]string{fmt.Sprintf(`"size":%d`, len(goodConfig)), `"size":99999999`}, "more than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := inmemory.Blobs{}
			raw := manifest(m, test.config)
			if test.change[0] != "" && !strings.Contains(raw, test.change[0]) {
				t.Fatalf("no %q in %s", test.change[0], raw)
			}
			raw = strings.Replace(raw, test.change[0], test.change[1], 1)
			_, err := Resolve(t.Context(), m, add(m, raw, types.OCIManifestSchema1), Host())
			if !IsRejected(err) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want a rejection with %q", err, test.says)
			}
		})
	}
}

func TestGoodManifest(t *testing.T) {
	m := inmemory.Blobs{}
	d := add(m, manifest(m, goodConfig), types.OCIManifestSchema1)
	img, err := Resolve(t.Context(), m, d, Host())
	if err != nil {
		t.Fatal(err)
	}
	if h, _ := img.Digest(); h != d.Digest || len(img.LayerDescriptors()) != 2 || img.Config().Config.Cmd[0] != "sh" {
		t.Errorf("got %+v", img)
	}
	// As umoci and older tools write it.
	d = add(m, strings.Replace(manifest(m, goodConfig), `"mediaType":"`+string(types.OCIManifestSchema1)+`",`, "", 1), types.OCIManifestSchema1)
	if _, err := Resolve(t.Context(), m, d, Host()); err != nil {
		t.Errorf("without a media type: %v", err)
	}
	for _, config := range []string{`{"rootfs":{"type":"layers","diff_ids":null}}`, `{"rootfs":{"type":"layers"}}`, `{"rootfs":{"type":"layers","diff_ids":[]}}`} {
		if _, err := FromConfig(m, []byte(config), nil); err != nil {
			t.Errorf("no layers: %s: %v", config, err)
		}
	}
}

func TestDocker(t *testing.T) {
	m := inmemory.Blobs{}
	raw := strings.NewReplacer(string(types.OCIManifestSchema1), string(types.DockerManifestSchema2),
		string(types.OCIConfigJSON), string(types.DockerConfigJSON),
		string(types.OCILayer), string(types.DockerLayer)).Replace(manifest(m, goodConfig))
	d := add(m, raw, types.DockerManifestSchema2)
	img, err := Resolve(t.Context(), m, d, Host())
	if err != nil {
		t.Fatal(err)
	}
	oci, err := img.OCI()
	if err != nil {
		t.Fatal(err)
	}
	if oci.ID() != img.ID() || oci.Descriptor().MediaType != types.OCIManifestSchema1 || oci.LayerDescriptors()[0].MediaType != types.OCILayer || oci.Origins()[0] != d.Digest {
		t.Errorf("got %+v", oci)
	}
	again, err := Resolve(t.Context(), oci, oci.Descriptor(), Host())
	if err != nil || again.ID() != oci.ID() {
		t.Errorf("read again: %v, %v", again, err)
	}
}

func TestSchema1(t *testing.T) {
	m := inmemory.Blobs{}
	raw := `{"schemaVersion":1,"name":"a","tag":"b","fsLayers":[],"history":[],"signatures":[]}`
	for _, mediaType := range []types.MediaType{types.DockerManifestSchema1, types.DockerManifestSchema1Signed, types.DockerManifestSchema2} {
		_, err := Resolve(t.Context(), m, add(m, raw, mediaType), Host())
		if !IsRejected(err) || !strings.Contains(err.Error(), "schema version 1") {
			t.Errorf("%s: got %v", mediaType, err)
		}
	}
}

// index is an index of images for some platforms.
func index(m inmemory.Blobs, platforms ...string) (v1.Descriptor, map[string]v1.Hash) {
	list, digests := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}, map[string]v1.Hash{}
	for _, p := range platforms {
		d := add(m, manifest(m, strings.Replace(goodConfig, `"sh"`, `"`+p+`"`, 1)), types.OCIManifestSchema1)
		if p != "" {
			platform, _ := v1.ParsePlatform(p)
			d.Platform = platform
		}
		digests[p] = d.Digest
		list.Manifests = append(list.Manifests, d)
	}
	return add(m, text(list), types.OCIImageIndex), digests
}

func TestPlatforms(t *testing.T) {
	for _, test := range []struct {
		name, have, want string
		got              string
	}{
		{"the same", "linux/arm64/v8 linux/amd64", "linux/amd64", "linux/amd64"},
		{"without a variant", "linux/amd64 linux/arm64", "linux/arm64/v8", "linux/arm64"},
		{"with a variant", "linux/amd64 linux/arm64/v8", "linux/arm64", "linux/arm64/v8"},
		{"an older variant", "linux/arm/v5 linux/arm/v6", "linux/arm/v7", "linux/arm/v6"},
		{"no newer variant", "linux/arm/v7", "linux/arm/v6", ""},
		{"not a newer processor", "linux/amd64/v3", "linux/amd64", ""},
		{"another name", "linux/386 linux/amd64", "x86_64", "linux/amd64"},
		{"another system", "windows/amd64", "linux/amd64", ""},
		{"attestations", "unknown/unknown linux/amd64", "linux/amd64", "linux/amd64"},
		{"the first", "linux/amd64 linux/amd64", "linux/amd64", "linux/amd64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := inmemory.Blobs{}
			d, digests := index(m, strings.Fields(test.have)...)
			want, err := ParsePlatform(test.want)
			if err != nil {
				t.Fatal(err)
			}
			img, err := Resolve(t.Context(), m, d, want)
			if test.got == "" {
				if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), strings.Fields(test.have)[0]) {
					t.Errorf("got %v, want ErrNotFound with what there is", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if h, _ := img.Digest(); h != digests[test.got] {
				t.Errorf("got another one than %s", test.got)
			}
			if origins := img.Origins(); len(origins) != 2 || origins[0] != d.Digest {
				t.Errorf("origins %v", origins)
			}
		})
	}
	m := inmemory.Blobs{}
	d, _ := index(m, "")
	if _, err := Resolve(t.Context(), m, d, Host()); err != nil {
		t.Errorf("one without a platform: %v", err)
	}
}

func TestIndexesThatAreRefused(t *testing.T) {
	m := inmemory.Blobs{}
	good, _ := index(m, "linux/amd64")
	raw := string(m[good.Digest])
	nested := good
	for range 6 {
		nested.Platform = &v1.Platform{OS: "linux", Architecture: "amd64"}
		nested = add(m, text(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{nested}}), types.OCIImageIndex)
	}
	for _, d := range []v1.Descriptor{
		nested,
		add(m, strings.Replace(raw, `"schemaVersion":2`, `"schemaVersion":2,"config":{}`, 1), types.OCIImageIndex),
		add(m, strings.Replace(raw, `"schemaVersion":2`, `"schemaVersion":2,"layers":[]`, 1), types.OCIImageIndex),
		add(m, strings.Replace(raw, `"schemaVersion":2`, `"schemaVersion":2,"artifactType":"x"`, 1), types.OCIImageIndex),
		add(m, strings.Replace(raw, `"size":`, `"size":-`, 1), types.OCIImageIndex),
		add(m, raw, types.OCIManifestSchema1),
		add(m, raw, "application/json"),
	} {
		if _, err := Resolve(t.Context(), m, d, v1.Platform{OS: "linux", Architecture: "amd64"}); !IsRejected(err) {
			t.Errorf("%s: got %v, want a rejection", m[d.Digest], err)
		}
	}
}

func TestVerifier(t *testing.T) {
	m := inmemory.Blobs{}
	d := add(m, "content", "")
	for _, test := range []struct {
		name, content string
		good          bool
	}{
		{"the content", "content", true},
		{"too short", "conten", false},
		{"too long", "contents", false},
		{"other content", "c0ntent", false},
	} {
		v, err := NewVerifier(strings.NewReader(test.content), d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(v)
		if (err == nil) != test.good || len(got) > 7 || err != nil && !IsRejected(err) {
			t.Errorf("%s: got %q, %v", test.name, got, err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, test := range []struct{ in, full, familiar, host, path string }{
		{"busybox", "docker.io/library/busybox:latest", "busybox:latest", "docker.io", "library/busybox"},
		{"busybox:1", "docker.io/library/busybox:1", "busybox:1", "docker.io", "library/busybox"},
		{"a/b", "docker.io/a/b:latest", "a/b:latest", "docker.io", "a/b"},
		{"index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest", "docker.io", "a/b"},
		{"localhost/a", "localhost/a:latest", "localhost/a:latest", "localhost", "a"},
		{"127.0.0.1:5000/a:x", "127.0.0.1:5000/a:x", "127.0.0.1:5000/a:x", "127.0.0.1:5000", "a"},
		{"a@" + zero, "docker.io/library/a@" + zero, "a@" + zero, "docker.io", "library/a"},
		{"a:1@" + zero, "docker.io/library/a:1@" + zero, "a:1@" + zero, "docker.io", "library/a"},
	} {
		n, err := ParseName(test.in)
		if err != nil {
			t.Errorf("%s: %v", test.in, err)
			continue
		}
		if n.String() != test.full || n.Familiar() != test.familiar || n.Host() != test.host || n.Path() != test.path {
			t.Errorf("%s: got %s %s %s %s", test.in, n, n.Familiar(), n.Host(), n.Path())
		}
	}
	for _, bad := range []string{"", "A", "a:", "a b", "-a", "a@sha256:00", "../a", "a/../b", "http://a", strings.Repeat("0", 64)} {
		if n, err := ParseName(bad); err == nil {
			t.Errorf("%q is %s", bad, n)
		}
	}
}

func TestLocations(t *testing.T) {
	for in, want := range map[string]Location{
		"busybox":                          {Registry, "", "busybox"},
		"docker://a/b:1":                   {Registry, "", "a/b:1"},
		"localhost:5000/a":                 {Registry, "", "localhost:5000/a"},
		"oci:/a/b":                         {Layout, "/a/b", ""},
		"oci:a:b:c":                        {Layout, "a", "b:c"},
		"oci-archive:/a.tar:x":             {OCIArchive, "/a.tar", "x"},
		"docker-archive:a.tar:b:1":         {DockerArchive, "a.tar", "b:1"},
		"docker-archive:a.tar:x/b@" + zero: {DockerArchive, "a.tar", "x/b@" + zero},
	} {
		if got, err := ParseLocation(in); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "oci:", "docker-archive::x", "docker://", "docker://A"} {
		if got, err := ParseLocation(bad); err == nil {
			t.Errorf("%q is %+v", bad, got)
		}
	}
}

// Source: config.md#layer-chainid
func TestChainIDs(t *testing.T) {
	a, _ := v1.NewHash(zero)
	b, _ := v1.NewHash(one)
	ids := ChainIDs([]v1.Hash{a, b, a})
	ab, _ := Sum("sha256", []byte(zero+" "+one))
	aba, _ := Sum("sha256", []byte(ab.String()+" "+zero))
	if ids[0] != a || ids[1] != ab || ids[2] != aba {
		t.Errorf("got %v", ids)
	}
}

func FuzzManifest(f *testing.F) {
	m := inmemory.Blobs{}
	d, _ := index(m, "linux/amd64", "linux/arm64")
	f.Add([]byte(manifest(m, goodConfig)), []byte(goodConfig))
	f.Add(m[d.Digest], []byte(`{"rootfs":{"type":"layers","diff_ids":[null]}}`))
	f.Fuzz(func(t *testing.T, raw, config []byte) {
		for _, mediaType := range []types.MediaType{types.OCIManifestSchema1, types.OCIImageIndex, types.DockerManifestSchema2} {
			ParseIndex(raw, mediaType)
			parsed, err := ParseManifest(raw, mediaType)
			if err != nil {
				if !IsRejected(err) {
					t.Errorf("got %v, want a rejection", err)
				}
				continue
			}
			for _, l := range append(parsed.Layers, parsed.Config) {
				if l.Size < 0 || strings.ContainsAny(l.Digest.Hex, "./") || l.Digest.Hex == "" {
					t.Errorf("taken: %+v", l)
				}
			}
			c, err := ParseConfig(config, parsed)
			if err == nil && len(c.RootFS.DiffIDs) != len(parsed.Layers) {
				t.Errorf("taken: %d diff_ids for %d layers", len(c.RootFS.DiffIDs), len(parsed.Layers))
			}
		}
	})
}

// What a configuration says of its health check is kept, also what package v1 does not
// know, and one that has nothing of it is written as v1 does.
func TestStartInterval(t *testing.T) {
	for _, tt := range []struct {
		name, health string
		want         time.Duration
	}{
		{"given", `{"Test":["CMD","x"],"StartInterval":2000000000}`, 2 * time.Second},
		{"none", `{"Test":["CMD","x"],"Interval":1000000000}`, 0},
		{"no duration", `{"Test":["CMD","x"],"StartInterval":"soon"}`, 0},
		{"no health check", `null`, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{"Env":["A=1"],"Healthcheck":` + tt.health + `}}`)
			img, err := FromConfig(nil, raw, nil)
			if err != nil {
				t.Fatal(err)
			}
			again, err := New(nil, img.OwnConfig(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := img.StartInterval(), again.StartInterval(); a != tt.want || b != tt.want {
				t.Errorf("got %s, written again %s, want %s", a, b, tt.want)
			}
			if a, b := img.Config(), again.Config(); !reflect.DeepEqual(a, b) {
				t.Errorf("got %+v, written again %+v", a, b)
			}
			plain, _ := json.Marshal(img.Config())
			if raw, _ := again.RawConfigFile(); tt.want == 0 && string(raw) != string(plain) {
				t.Errorf("got %s, want %s", raw, plain)
			}
		})
	}
}

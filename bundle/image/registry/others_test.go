package registry

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/davit-containers/davit/bundle/image"
)

// asked is a front that notes what is asked for.
func asked(list *[]string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && r.URL.Path != "/v2/" {
				*list = append(*list, r.URL.Path)
			}
			next.ServeHTTP(w, r)
		})
	}
}

// placesOf are the hosts and paths of a name, and what they are not asked for.
func placesOf(t *testing.T, c *Config, s string) string {
	t.Helper()
	places, err := c.places(name(t, s))
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, p := range places {
		text := p.host + "/" + p.path
		for _, no := range []struct {
			is   bool
			word string
		}{{p.noTags, " no tags"}, {p.noDigests, " no digests"}, {p.noBlobs, " no blobs"}, {p.settings.PlainHTTP, " http"}, {p.settings.skipVerify, " unverified"}} {
			if no.is {
				text += no.word
			}
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func written(t *testing.T, dir, file, text string) string {
	t.Helper()
	path := filepath.Join(dir, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHostsTOML(t *testing.T) {
	for _, test := range []struct{ name, file, want string }{
		{"empty", "", "r.example/a/b"},
		{"server", `server = "https://other.example"`, "other.example/a/b"},
		{"order", "[host.\"https://z.example\"]\n[host.\"http://a.example:80\"]\nskip_verify = true", "z.example/a/b, a.example:80/a/b http unverified, r.example/a/b"},
		{"capabilities", "[host.\"https://m\"]\ncapabilities = [\"pull\"]\n[host.\"https://n\"]\ncapabilities = [\"resolve\"]\n[host.\"https://o\"]\ncapabilities = [\"push\"]",
			"m/a/b no tags, n/a/b no digests no blobs, o/a/b no tags no digests no blobs, r.example/a/b"},
		{"the server's capabilities", "capabilities = [\"push\"]", "r.example/a/b"},
		{"path", "[host.\"https://m/v2/proxy/x\"]\noverride_path = true\n[host.\"https://n/v2\"]", "m/proxy/x/a/b, n/a/b, r.example/a/b"},
		{"a path that cannot be", "[host.\"https://m/proxy\"]", `host "https://m/proxy": a path without override_path: only /v2 is known`},
		{"another path", "[host.\"https://m/proxy\"]\noverride_path = true", `host "https://m/proxy": override_path: only paths below /v2 are known`},
		{"header", "[host.\"https://m\".header]\nx = \"y\"", `host "https://m": header: it is not known`},
		{"no address", "[host.\"ftp://m\"]", `host "ftp://m": it is no address with http or https`},
		{"no TOML", "[host", "reading"},
	} {
		dir := t.TempDir()
		written(t, dir, "r.example/hosts.toml", test.file)
		got := placesOf(t, &Config{CertificateDirs: []string{dir}}, "r.example/a/b:1")
		if got != test.want && !strings.HasSuffix(got, test.want) && !(test.name == "no TOML" && strings.HasPrefix(got, test.want)) {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestDefaultHosts(t *testing.T) {
	dir := t.TempDir()
	written(t, dir, "_default/hosts.toml", `[host."https://m"]`)
	written(t, dir, "own.example/ca.crt", "")
	c := &Config{CertificateDirs: []string{dir}, Registries: map[string]Settings{"set.example": {Mirrors: []string{"n"}}}}
	for s, want := range map[string]string{
		"r.example/a": "m/a, r.example/a", "own.example/a": "own.example/a", "set.example/a": "n/a, set.example/a", "a": "m/library/a, docker.io/library/a",
	} {
		if got := placesOf(t, c, s); got != want {
			t.Errorf("%s: got %s, want %s", s, got, want)
		}
	}
}

func TestRegistriesConf(t *testing.T) {
	dir := t.TempDir()
	files := []string{written(t, dir, "registries.conf", `
unqualified-search-registries = ["quay.io"]
[[registry]]
prefix = "r.example"
location = "elsewhere.example/root"
insecure = true
[[registry.mirror]]
location = "m.example/x"
[[registry.mirror]]
location = "n.example"
pull-from-mirror = "tag-only"
insecure = true
[[registry]]
location = "r.example/deep"
mirror-by-digest-only = true
[[registry.mirror]]
location = "d.example"
[[registry]]
prefix = "*.many.example"
location = "one.example"
[[registry]]
prefix = "docker.io"
[[registry.mirror]]
location = "hub.example"
`), written(t, dir, "later.conf", "[[registry]]\nprefix = \"blocked.example/a\"\nblocked = true\n[aliases]\nx = \"y\"\n"), filepath.Join(dir, "missing.conf")}
	c := &Config{ContainersFiles: files, Registries: map[string]Settings{"set.r.example": {}}}
	for s, want := range map[string]string{
		"r.example/a/b":         "m.example/x/a/b, n.example/a/b no digests http unverified, elsewhere.example/root/a/b http unverified",
		"r.example/deep/b":      "d.example/b no tags, r.example/deep/b",
		"r.example/deeper/b":    "m.example/x/deeper/b, n.example/deeper/b no digests http unverified, elsewhere.example/root/deeper/b http unverified",
		"x.many.example/a":      "one.example/a",
		"many.example/a":        "many.example/a",
		"a":                     "hub.example/library/a, docker.io/library/a",
		"blocked.example/b":     "blocked.example/b",
		"blocked.example/a/b":   "blocked.example/a/b: not allowed: " + files[1] + " blocks it",
		"r.example.evil.test/a": "r.example.evil.test/a",
	} {
		if got := placesOf(t, c, s); got != want {
			t.Errorf("%s: got %s, want %s", s, got, want)
		}
	}
}

// A mirror that may not be asked for tags is asked for the rest.
func TestMirrorOfHostsTOML(t *testing.T) {
	var atOrigin, atMirror []string
	origin, mirror := serve(t, asked(&atOrigin)), serve(t, asked(&atMirror))
	_, n, img := pushed(t, origin, Options{})
	toMirror := New(Options{Keychain: authn.NewMultiKeychain()})
	if err := toMirror.Push(t.Context(), img, name(t, mirror+"/sub/some/image:1")); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	written(t, dir, origin+"/hosts.toml", "[host.\"http://"+mirror+"/v2/sub\"]\noverride_path = true\ncapabilities = [\"pull\"]\n")
	c := New(Options{Keychain: authn.NewMultiKeychain(), Config: &Config{CertificateDirs: []string{dir}}})
	if err := pull(t, c, n); err != nil {
		t.Fatal(err)
	}
	blob := func(s string) bool { return strings.Contains(s, "/blobs/") }
	if !slices.Contains(atOrigin, "/v2/some/image/manifests/1") || slices.ContainsFunc(atOrigin, blob) {
		t.Errorf("the registry was asked for %v", atOrigin)
	}
	if len(atMirror) < 2 || slices.ContainsFunc(atMirror, func(s string) bool { return !blob(s) }) {
		t.Errorf("the mirror was asked for %v", atMirror)
	}
	written(t, dir, origin+"/hosts.toml", "[[")
	if _, err := c.Image(t.Context(), n, image.Host()); err == nil || errors.Is(err, image.ErrNotFound) {
		t.Errorf("a file that cannot be read: %v", err)
	}
}

package registry

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	libregistry "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/progress"
)

// serve runs a registry on loopback, with something in front of it.
func serve(t *testing.T, front func(http.Handler) http.Handler) (host string) {
	t.Helper()
	handler := libregistry.New(libregistry.Logger(log.New(io.Discard, "", 0)))
	if front != nil {
		handler = front(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func name(t *testing.T, s string) image.Name {
	t.Helper()
	n, err := image.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// pushed is a client, and the name of an image of 100,000 bytes that is in a registry.
func pushed(t *testing.T, host string, o Options) (*Client, image.Name, v1.Image) {
	t.Helper()
	if o.Keychain == nil {
		o.Keychain = authn.NewMultiKeychain()
	}
	img, err := random.Image(100_000, 2)
	if err != nil {
		t.Fatal(err)
	}
	c, n := New(o), name(t, host+"/some/image:1")
	if err := c.Push(t.Context(), img, n); err != nil {
		t.Fatal(err)
	}
	return c, n, img
}

// pull reads all blobs of an image, verified.
func pull(t *testing.T, c *Client, n image.Name) error {
	t.Helper()
	img, err := c.Image(t.Context(), n, image.Host())
	if err != nil {
		return err
	}
	for _, d := range img.LayerDescriptors() {
		r, err := img.OpenBlob(t.Context(), d, 0)
		if err != nil {
			return err
		}
		defer r.Close()
		v, err := image.NewVerifier(r, d)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, v); err != nil {
			return err
		}
	}
	return nil
}

func TestPushAndPull(t *testing.T) {
	c, n, img := pushed(t, serve(t, nil), Options{})
	got, err := c.Image(t.Context(), n, image.Host())
	if err != nil {
		t.Fatal(err)
	}
	want, _ := img.Digest()
	if h, _ := got.Digest(); h != want {
		t.Errorf("got %s, want %s", h, want)
	}
	if err := pull(t, c, n); err != nil {
		t.Error(err)
	}
	if err := pull(t, c, name(t, n.Repository()+"@"+want.String())); err != nil {
		t.Error(err)
	}
	if err := pull(t, c, name(t, n.Repository()+":2")); !errors.Is(err, image.ErrNotFound) {
		t.Errorf("a tag that is not there: got %v, want ErrNotFound", err)
	}
}

// TestProgressOfAPush: each layer is told to its end, and the second time that it is
// there.
func TestProgressOfAPush(t *testing.T) {
	server := serve(t, nil)
	var mu sync.Mutex
	told := map[progress.Phase][]int64{}
	o := Options{Progress: func(e progress.Event) {
		mu.Lock()
		defer mu.Unlock()
		told[e.Phase] = append(told[e.Phase], e.Done)
	}}
	c, n, img := pushed(t, server, o)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	size, err := layers[0].Size()
	if err != nil {
		t.Fatal(err)
	}
	if len(told[progress.Written]) != len(layers) || !slices.Contains(told[progress.Writing], size) || len(told[progress.Exists]) > 0 {
		t.Errorf("of %d layers, the first of %d bytes, it told %v", len(layers), size, told)
	}
	clear(told)
	if err := c.Push(t.Context(), img, n); err != nil {
		t.Fatal(err)
	}
	if len(told[progress.Exists]) != len(layers) || len(told) != 1 {
		t.Errorf("the second time it told %v", told)
	}
}

// breaking cuts each answer with a blob after some bytes.
type breaking struct {
	inner  http.Handler
	ranges bool // the server can give a part of a blob
	after  int

	mu    sync.Mutex
	asked []string // values of Range
}

func (b *breaking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
		b.inner.ServeHTTP(w, r)
		return
	}
	b.mu.Lock()
	b.asked = append(b.asked, r.Header.Get("Range"))
	after := b.after
	if !b.ranges {
		after *= len(b.asked)
	}
	b.mu.Unlock()
	if !b.ranges {
		r.Header.Del("Range")
	}
	answer := httptest.NewRecorder()
	b.inner.ServeHTTP(answer, r)
	for k, v := range answer.Header() {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Length", fmt.Sprint(answer.Body.Len()))
	w.WriteHeader(answer.Code)
	if answer.Body.Len() <= after {
		w.Write(answer.Body.Bytes())
		return
	}
	w.Write(answer.Body.Bytes()[:after])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestDownloadGoesOnWhereItBrokeOff(t *testing.T) {
	for _, ranges := range []bool{true, false} {
		t.Run(fmt.Sprint("ranges=", ranges), func(t *testing.T) {
			b := &breaking{ranges: ranges, after: 30_000}
			host := serve(t, func(h http.Handler) http.Handler { b.inner = h; return b })
			c, n, _ := pushed(t, host, Options{})
			if err := pull(t, c, n); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(b.asked, ","); !strings.Contains(got, ",bytes=60000-") || !strings.Contains(got, ",bytes=90000-") {
				t.Errorf("asked for %s", got)
			}
		})
	}
}

func TestPatienceEnds(t *testing.T) {
	b := &breaking{ranges: true, after: 0}
	host := serve(t, func(h http.Handler) http.Handler { b.inner = h; return b })
	c, n, _ := pushed(t, host, Options{Patience: 300 * time.Millisecond})
	if err := pull(t, c, n); err == nil || !strings.Contains(err.Error(), "downloading sha256:") {
		t.Errorf("got %v", err)
	}
}

// asking wants a name and a password, and notes who was told them.
func asking(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "user" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// loggedIn is a home with ~/.docker/config.json.
func loggedIn(t *testing.T, config string) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("DOCKER_CONFIG", filepath.Join(home, ".docker"))
	os.Mkdir(filepath.Join(home, ".docker"), 0o700)
	if err := os.WriteFile(filepath.Join(home, ".docker/config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

func auths(host string) string {
	return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte("user:secret")))
}

func TestBasicAuthentication(t *testing.T) {
	host := serve(t, asking)
	loggedIn(t, auths(host))
	c, n, _ := pushed(t, host, Options{Keychain: authn.DefaultKeychain})
	if err := pull(t, c, n); err != nil {
		t.Error(err)
	}
	loggedIn(t, `{}`)
	if err := pull(t, New(Options{}), n); !errors.Is(err, ErrDenied) {
		t.Errorf("without credentials: got %v, want ErrDenied", err)
	}
}

func TestCredentialHelper(t *testing.T) {
	host := serve(t, asking)
	loggedIn(t, fmt.Sprintf(`{"credHelpers":{%q:"davit-test"}}`, host))
	bin := t.TempDir()
	script := "#!/bin/sh\nread host\n[ \"$1 $host\" = \"get " + host + "\" ] && echo '{\"Username\":\"user\",\"Secret\":\"secret\"}'\n"
	if err := os.WriteFile(filepath.Join(bin, "docker-credential-davit-test"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	c, n, _ := pushed(t, host, Options{Keychain: authn.DefaultKeychain})
	if err := pull(t, c, n); err != nil {
		t.Error(err)
	}
}

// tokens is a registry whose tokens are good for a few requests each.
type tokens struct {
	inner  http.Handler
	mu     sync.Mutex
	issued int
	left   int
}

func (s *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/token" {
		if user, password, _ := r.BasicAuth(); user != "user" || password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.issued++
		s.left = 5
		fmt.Fprintf(w, `{"token":"t%d"}`, s.issued)
		return
	}
	if s.left == 0 || r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", s.issued) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="s",scope="repository:some/image:pull"`, r.Host))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodGet {
		s.left--
	}
	s.inner.ServeHTTP(w, r)
}

func TestTokenAuthentication(t *testing.T) {
	s := &tokens{}
	host := serve(t, func(h http.Handler) http.Handler { s.inner = h; return s })
	loggedIn(t, auths(host))
	c, n, _ := pushed(t, host, Options{Keychain: authn.DefaultKeychain})
	for range 3 {
		if err := pull(t, c, n); err != nil {
			t.Fatal(err)
		}
	}
	if s.issued < 3 {
		t.Errorf("%d tokens issued: expired ones were not renewed", s.issued)
	}
}

// listener notes the credentials that come to a host which is to see none.
type listener struct {
	mu      sync.Mutex
	seen    []string
	asked   int
	content func(path string) []byte
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	for _, key := range []string{"Authorization", "Cookie", "Proxy-Authorization"} {
		l.seen = append(l.seen, r.Header.Values(key)...)
	}
	if l.content == nil {
		w.Header().Set("WWW-Authenticate", `Basic realm="give me"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Write(l.content(r.URL.Path))
}

// TestRedirectGetsNoCredentials: CVE-2020-15157 and its like.
func TestRedirectGetsNoCredentials(t *testing.T) {
	elsewhere := &listener{}
	other := httptest.NewServer(elsewhere)
	defer other.Close()
	var inner http.Handler
	host := serve(t, func(h http.Handler) http.Handler {
		inner = h
		return asking(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
				http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
				return
			}
			h.ServeHTTP(w, r)
		}))
	})
	elsewhere.content = func(path string) []byte {
		answer := httptest.NewRecorder()
		inner.ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
		return answer.Body.Bytes()
	}
	loggedIn(t, auths(host))
	c, n, _ := pushed(t, host, Options{Keychain: authn.DefaultKeychain})
	if err := pull(t, c, n); err != nil {
		t.Fatal(err)
	}
	if elsewhere.asked == 0 || len(elsewhere.seen) > 0 {
		t.Errorf("asked %d times, with credentials %q", elsewhere.asked, elsewhere.seen)
	}
}

// TestForeignLayerGetsNoCredentials: CVE-2020-15157.
func TestForeignLayerGetsNoCredentials(t *testing.T) {
	elsewhere := &listener{}
	other := httptest.NewServer(elsewhere)
	defer other.Close()
	host := serve(t, asking)
	loggedIn(t, auths(host))
	c := New(Options{Patience: time.Millisecond})
	r, err := c.repository(name(t, host+"/some/image"))
	if err != nil {
		t.Fatal(err)
	}
	layer := []byte("a layer")
	sum, _ := image.Sum("sha256", layer)
	d := v1.Descriptor{MediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", Digest: sum, Size: int64(len(layer)), URLs: []string{other.URL + "/layer"}}
	elsewhere.content = func(string) []byte { return layer }
	blob, err := r.OpenBlob(t.Context(), d, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(blob)
	if err != nil || !bytes.Equal(got, layer) {
		t.Errorf("got %q, %v", got, err)
	}
	elsewhere.content = nil
	blob, _ = r.OpenBlob(t.Context(), d, 0)
	if _, err := io.ReadAll(blob); err == nil {
		t.Error("a foreign host that wants credentials was believed")
	}
	if elsewhere.asked == 0 || len(elsewhere.seen) > 0 {
		t.Errorf("asked %d times, with credentials %q", elsewhere.asked, elsewhere.seen)
	}
	d.MediaType = "application/vnd.oci.image.layer.v1.tar+gzip"
	blob, _ = r.OpenBlob(t.Context(), d, 0)
	if _, err := io.ReadAll(blob); !errors.Is(err, image.ErrNotFound) {
		t.Errorf("addresses of an ordinary layer were used: %v", err)
	}
}

func TestForeignLayersComeFromPublicAddresses(t *testing.T) {
	server := httptest.NewServer(&listener{content: func(string) []byte { return nil }})
	defer server.Close()
	_, err := fetch(t.Context(), foreignClient(false), server.URL, nil)
	if !errors.Is(err, errNotAllowed) {
		t.Errorf("got %v, want errNotAllowed", err)
	}
}

func TestPlainHTTP(t *testing.T) {
	for _, test := range []struct {
		name, host string
		settings   Settings
		allowed    bool
	}{
		{"this machine", "127.0.0.1:1", Settings{}, true},
		{"this machine, version 6", "[::1]:1", Settings{}, true},
		{"its name", "localhost:1", Settings{}, true},
		{"a private network", "10.0.0.1:1", Settings{}, false},
		{"a name that looks local", "registry.local:1", Settings{}, false},
		{"where it is allowed", "10.0.0.1:1", Settings{PlainHTTP: true}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			inner := &answering{}
			g := &guard{inner: inner}
			if test.settings.PlainHTTP {
				g.plain = test.host
			}
			r, _ := http.NewRequest("GET", "http://"+test.host+"/v2/", nil)
			_, err := g.RoundTrip(r)
			if (err == nil) != test.allowed || inner.asked != test.allowed {
				t.Errorf("got %v, asked %v", err, inner.asked)
			}
		})
	}
}

type answering struct{ asked bool }

func (a *answering) RoundTrip(*http.Request) (*http.Response, error) {
	a.asked = true
	return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
}

func TestMirrors(t *testing.T) {
	mirror := serve(t, nil)
	origin := serve(t, nil)
	config := &Config{Registries: map[string]Settings{origin: {Mirrors: []string{"127.0.0.1:1", mirror + "/hub"}}}}
	keychain := authn.NewMultiKeychain()
	plain := New(Options{Keychain: keychain})
	img, _ := random.Image(1000, 1)
	if err := plain.Push(t.Context(), img, name(t, mirror+"/hub/some/image:1")); err != nil {
		t.Fatal(err)
	}
	c := New(Options{Config: config, Keychain: keychain, Patience: time.Millisecond})
	if err := pull(t, c, name(t, origin+"/some/image:1")); err != nil {
		t.Errorf("from the mirror: %v", err)
	}
	if err := plain.Push(t.Context(), img, name(t, origin+"/some/image:2")); err != nil {
		t.Fatal(err)
	}
	if err := pull(t, c, name(t, origin+"/some/image:2")); err != nil {
		t.Errorf("from the registry: %v", err)
	}
	if err := pull(t, c, name(t, origin+"/some/image:3")); err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), mirror) {
		t.Errorf("from nowhere: %v", err)
	}
}

func TestMirrorGetsNoCredentialsOfTheRegistry(t *testing.T) {
	l := &listener{}
	mirror := httptest.NewServer(l)
	defer mirror.Close()
	origin := serve(t, asking)
	loggedIn(t, auths(origin))
	config := &Config{Registries: map[string]Settings{origin: {Mirrors: []string{strings.TrimPrefix(mirror.URL, "http://")}}}}
	c, n, _ := pushed(t, origin, Options{Config: config, Keychain: authn.DefaultKeychain})
	if err := pull(t, c, n); err != nil {
		t.Fatal(err)
	}
	if l.asked == 0 || len(l.seen) > 0 {
		t.Errorf("asked %d times, with credentials %q", l.asked, l.seen)
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(libregistry.New(libregistry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	host := strings.TrimPrefix(server.URL, "https://")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	pem := "-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(server.Certificate().Raw) + "\n-----END CERTIFICATE-----\n"
	if err := os.WriteFile(ca, []byte(pem), 0o600); err != nil {
		t.Fatal(err)
	}
	c, n, _ := pushed(t, host, Options{Config: &Config{Registries: map[string]Settings{host: {CA: ca}}}})
	if err := pull(t, c, n); err != nil {
		t.Error(err)
	}
	if err := pull(t, New(Options{Keychain: authn.NewMultiKeychain()}), n); err == nil {
		t.Error("a certificate that nobody knows was taken")
	}
}

// lying gives one answer to every question for a manifest.
func lying(contentType string, length int64, body io.Reader) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.Path, "/manifests/") {
				h.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", contentType)
			if length >= 0 {
				w.Header().Set("Content-Length", fmt.Sprint(length))
			}
			io.Copy(w, body)
		})
	}
}

// endless has as many bytes as are read.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.read += int64(len(p))
	return len(p), nil
}

func TestHugeManifest(t *testing.T) {
	for _, length := range []int64{-1, 1 << 40} {
		body := &endless{}
		host := serve(t, lying("application/vnd.oci.image.manifest.v1+json", length, io.LimitReader(body, 64<<20)))
		_, err := New(Options{}).Image(t.Context(), name(t, host+"/some/image"), image.Host())
		if !image.IsRejected(err) {
			t.Errorf("length %d: got %v, want a rejection", length, err)
		}
		if body.read > 32<<20 {
			t.Errorf("length %d: %d bytes were read", length, body.read)
		}
	}
}

func TestManifestsTypeIsSaidOnce(t *testing.T) {
	body := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`
	for _, contentType := range []string{"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v1+prettyjws"} {
		host := serve(t, lying(contentType, -1, strings.NewReader(body)))
		_, err := New(Options{}).Image(t.Context(), name(t, host+"/some/image"), image.Host())
		if !image.IsRejected(err) {
			t.Errorf("%s: got %v, want a rejection", contentType, err)
		}
	}
}

func TestErrorsAreOneCleanLine(t *testing.T) {
	host := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/" {
				return
			}
			w.WriteHeader(http.StatusTeapot)
			io.WriteString(w, "\x1b[2Jone\ntwo"+strings.Repeat("x", 5000))
		})
	})
	_, err := New(Options{}).Image(t.Context(), name(t, host+"/some/image"), image.Host())
	if err == nil || strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 1500 {
		t.Errorf("got %q", err)
	}
}

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	machine := write("machine", `{"registries":{"docker.io":{"mirrors":["one"]},"a":{"plainHTTP":true}}}`)
	user := write("user", `{"registries":{"docker.io":{"mirrors":["two"]}}}`)
	config, err := ReadConfig(machine, filepath.Join(dir, "none"), user)
	if err != nil {
		t.Fatal(err)
	}
	if got := config.of("docker.io").Mirrors; len(got) != 1 || got[0] != "two" || !config.of("a").PlainHTTP {
		t.Errorf("got %+v", config)
	}
	if _, err := ReadConfig(write("wrong", `{"registries":{"a":{"mirror":"b"}}}`)); err == nil {
		t.Error("an unknown setting was taken")
	}
}

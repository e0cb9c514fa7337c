package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	libregistry "github.com/google/go-containerregistry/pkg/registry"
)

// certificate is one that its own key has signed, and the key, in PEM.
func certificate(t *testing.T) (public, private []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// What a host's directory has is trusted, and shown to who asks for it; what is
// there by half is an error.
func TestCertificateDirs(t *testing.T) {
	public, private := certificate(t)
	server := httptest.NewUnstartedServer(libregistry.New(libregistry.Logger(log.New(io.Discard, "", 0))))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "https://")
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for _, test := range []struct {
		name  string
		files map[string][]byte
		want  string // in the error
	}{
		{"all", map[string][]byte{"ca.crt": authority, "client.cert": public, "client.key": private, "hosts.toml": nil}, ""},
		{"no authority", map[string][]byte{"client.cert": public, "client.key": private}, "certificate signed by unknown authority"},
		{"no client", map[string][]byte{"ca.crt": authority}, "certificate required"},
		{"a key alone", map[string][]byte{"ca.crt": authority, "client.key": private}, "client.cert: no such file or directory"},
		{"no key", map[string][]byte{"ca.crt": authority, "client.cert": public}, "client.key: no such file or directory"},
		{"no certificate", map[string][]byte{"ca.crt": []byte("none")}, "there is no certificate in PEM"},
	} {
		t.Run(test.name, func(t *testing.T) {
			empty, dir := t.TempDir(), t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, host), 0o755); err != nil {
				t.Fatal(err)
			}
			for name, data := range test.files {
				if err := os.WriteFile(filepath.Join(dir, host, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			o := Options{Keychain: authn.NewMultiKeychain(), Config: &Config{CertificateDirs: []string{empty, dir}}}
			if test.want == "" {
				c, n, _ := pushed(t, host, o)
				if err := pull(t, c, n); err != nil {
					t.Error(err)
				}
				return
			}
			if err := pull(t, New(o), name(t, host+"/some/image:1")); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

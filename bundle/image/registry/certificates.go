package registry

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// CertificateDirs are where containers' programs look for registries'
// certificates: the user's, then the machine's. A directory in one of them has a
// registry's host for its name, with its port if it has one, and in it
// certificates of authorities, NAME.crt, and the client's, NAME.cert with NAME.key.
// Compat(containers, docker, containerd): the names are theirs.
func CertificateDirs() []string {
	var dirs []string
	if dir, err := os.UserConfigDir(); err == nil {
		dirs = append(dirs, filepath.Join(dir, "containers/certs.d"))
	}
	return append(dirs, "/etc/containers/certs.d", "/etc/docker/certs.d", "/etc/containerd/certs.d")
}

// folder is the first directory that a host has; "" for none.
func (c *Config) folder(host string) string {
	for _, dir := range c.CertificateDirs {
		path := filepath.Join(dir, host)
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return path
		}
	}
	return ""
}

// addFolder adds what a registry's directory has.
func addFolder(config *tls.Config, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("reading a registry's certificates: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		stem := strings.TrimSuffix(path, filepath.Ext(path))
		switch filepath.Ext(path) {
		case ".crt":
			err = addAuthority(config, path)
		case ".cert":
			err = addPair(config, path, stem+".key")
		case ".key":
			_, err = os.Stat(stem + ".cert")
		}
		if err != nil {
			return fmt.Errorf("reading a registry's certificates: %w", err)
		}
	}
	return nil
}

// addAuthority trusts a file of certificates besides the system's.
func addAuthority(config *tls.Config, path string) error {
	pem, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if config.RootCAs == nil {
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
	}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s: there is no certificate in PEM", path)
	}
	return nil
}

func addPair(config *tls.Config, certificate, key string) error {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return fmt.Errorf("%s: %w", certificate, err)
	}
	config.Certificates = append(config.Certificates, pair)
	return nil
}

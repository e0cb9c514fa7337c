package registry

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Bounds of what a registry may make us wait for.
const (
	dialTimeout   = 30 * time.Second
	headerTimeout = 60 * time.Second
	maxRedirects  = 10
)

// newTransport is what requests to one registry and to where it redirects go
// through.
func newTransport(s Settings, host string) (http.RoundTripper, error) {
	config, err := tlsConfig(s)
	if err != nil {
		return nil, err
	}
	base := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: headerTimeout,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       headerTimeout,
		ForceAttemptHTTP2:     true,
	}
	g := &guard{inner: base}
	if s.PlainHTTP {
		g.plain = host
	}
	return transport.NewUserAgent(transport.NewRetry(g, transport.WithRetryStatusCodes(retried...)), "davit"), nil
}

// retried are the answers of a server that may answer differently a moment later.
var retried = []int{http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

func tlsConfig(s Settings) (*tls.Config, error) {
	config := &tls.Config{InsecureSkipVerify: s.skipVerify}
	authorities, pairs := s.authorities, s.pairs
	if s.CA != "" {
		authorities = append(authorities, s.CA)
	}
	if s.Certificate != "" {
		pairs = append(pairs, [2]string{s.Certificate, s.Key})
	}
	for _, path := range authorities {
		if err := addAuthority(config, path); err != nil {
			return nil, fmt.Errorf("reading a registry's certificates: %w", err)
		}
	}
	for _, pair := range pairs {
		if err := addPair(config, pair[0], pair[1]); err != nil {
			return nil, fmt.Errorf("reading the client's certificate: %w", err)
		}
	}
	if s.folder != "" {
		return config, addFolder(config, s.folder)
	}
	return config, nil
}

// guard lets no request out that could be read on the way: plain http goes to
// this machine, and to a host for which it is allowed.
type guard struct {
	inner http.RoundTripper
	plain string // with its port if it has one; "" for none
}

// RoundTrip refuses plain http.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && r.URL.Host != g.plain && !isLoopback(r.URL) {
		return nil, fmt.Errorf("plain http to %s: %w (set plainHTTP for it in the configuration of registries)", r.URL.Host, errNotAllowed)
	}
	return g.inner.RoundTrip(r)
}

// isLoopback tells by its name whether a host is this machine.
func isLoopback(u *url.URL) bool {
	if u.Hostname() == "localhost" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback()
}

// checkRedirect bounds redirects, and lets none lead from elsewhere to this machine.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if isLoopback(r.URL) && !isLoopback(via[0].URL) {
		return fmt.Errorf("a redirect from %s to %s: %w", via[0].URL.Host, r.URL.Host, errNotAllowed)
	}
	return nil
}

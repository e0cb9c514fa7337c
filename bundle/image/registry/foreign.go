package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
)

// foreignClient fetches layers from addresses that stand in a manifest. It has
// no credentials, and reaches nothing but public addresses, unless the registry
// itself is on this machine.
//
// CVE-2020-15157: credentials went to whatever host a manifest named.
func foreignClient(local bool) *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if !local {
		dialer.ControlContext = onlyPublic
	}
	return &http.Client{
		CheckRedirect: checkRedirect,
		Transport: &guard{inner: &http.Transport{
			DialContext:           dialer.DialContext,
			TLSHandshakeTimeout:   dialTimeout,
			ResponseHeaderTimeout: headerTimeout,
		}},
	}
}

// onlyPublic refuses addresses of this machine and of private networks, after
// the name was looked up.
func onlyPublic(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap()
	if ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() {
		return fmt.Errorf("%w: a layer's address leads to %s, which is not public", errNotAllowed, ip)
	}
	return nil
}

// askForeign asks the addresses that stand in the descriptor of a layer which
// registries may not hand out. It gives nothing where there are none.
func (b *download) askForeign(ctx context.Context) (io.ReadCloser, error) {
	if b.d.MediaType.IsDistributable() {
		return nil, nil
	}
	client := foreignClient(b.repository.local)
	var errs []error
	for _, url := range b.d.URLs {
		resp, err := fetch(ctx, client, url, b.header())
		if err != nil {
			errs = append(errs, fmt.Errorf("fetching %s: %w", oneLine(errors.New(url)), err))
			continue
		}
		body, err := b.from(resp)
		if err == nil {
			return body, nil
		}
		errs = append(errs, err)
	}
	return nil, joined(errs)
}

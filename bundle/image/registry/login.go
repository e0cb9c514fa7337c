package registry

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	libname "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Login says whether a registry takes a name and a password.
//
// Errors: [ErrDenied].
func (c *Client) Login(ctx context.Context, host, user, password string) error {
	settings := c.o.Config.of(host)
	var options []libname.Option
	if settings.PlainHTTP {
		options = append(options, libname.Insecure)
	}
	at, err := libname.NewRegistry(host, options...)
	if err != nil {
		return err
	}
	base, err := newTransport(settings, host)
	if err != nil {
		return err
	}
	rt, err := transport.NewWithContext(ctx, at, &authn.Basic{Username: user, Password: password}, base, nil)
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", host, explain(err))
	}
	resp, err := fetch(ctx, &http.Client{Transport: rt, CheckRedirect: checkRedirect}, at.Scheme()+"://"+at.RegistryStr()+"/v2/", http.Header{})
	if err != nil {
		return fmt.Errorf("logging in to %s: %w", host, err)
	}
	return resp.Body.Close()
}
